"""Where it runs: workers, batches, resuming, progress."""

"""What one sees: a static site made from the store's records and entries, and from nothing else."""

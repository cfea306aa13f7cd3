"""Where results lie: one self-describing entry per rendering, named by its key."""

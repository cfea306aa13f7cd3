"""Real images on disk: which there are, and the pixels of each. One loader for all that looks at images."""

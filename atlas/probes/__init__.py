"""What pictures do in a network, once they are made."""

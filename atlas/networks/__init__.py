"""What is looked at: networks, their facts, their weights."""

"""How a picture comes: the compiled gradient ascent and its parts."""

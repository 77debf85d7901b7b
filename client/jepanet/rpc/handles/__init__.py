"""What methods read from: the running node, and what of it is kept for a moment."""

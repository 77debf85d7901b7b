"""What is due of a node at the current block: one small rule a duty."""

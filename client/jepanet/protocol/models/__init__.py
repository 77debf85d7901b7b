"""How a node comes by a model: what the recorded rounds lead to, and which way takes the fewest bytes."""

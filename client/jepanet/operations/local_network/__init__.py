"""A whole network on one machine: its chain, its data and a node for each role."""

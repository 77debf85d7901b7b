"""Action-conditioned world model: `model.py` is the network, `schema.py` its parameters without torch."""

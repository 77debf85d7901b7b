"""The contracts of a network: what will be where, putting it there, and holding it against abi/."""

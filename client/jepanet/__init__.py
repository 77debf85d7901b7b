"""jepanet: train one model together, by strangers, paid only for measured held-out gain."""

__version__ = "0.1.0"

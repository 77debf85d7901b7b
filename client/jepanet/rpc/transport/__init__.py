"""HTTP: who may call, how much, how fast."""

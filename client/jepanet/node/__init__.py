"""The running process: everything joined, the engine, the gate to gossip, upkeep."""

"""Training data in more shards than are held in memory: read one ahead, drawn from several at a time."""

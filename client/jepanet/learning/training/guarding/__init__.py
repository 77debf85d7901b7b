"""When a training has to stop: losses it does not train on, and losses that explode."""

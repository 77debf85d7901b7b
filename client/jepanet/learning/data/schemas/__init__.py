"""The kinds of data that a shard can hold, one file each, and a line each in the registry."""

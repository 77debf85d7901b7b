"""TwoRoom: an agent, two rooms, a door."""

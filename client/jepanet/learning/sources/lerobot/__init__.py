"""Robots' recordings as LeRobot writes them: a folder of somebody's becomes a dataset of the world model."""

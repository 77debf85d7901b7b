"""What a training is at a step: its state, its checkpoints and its trace."""

"""What a round's sheet means for those in it: what each earned, and why."""

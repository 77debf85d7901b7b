"""Training one solver's round."""

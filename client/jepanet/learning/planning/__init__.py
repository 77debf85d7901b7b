"""Acting with a model."""

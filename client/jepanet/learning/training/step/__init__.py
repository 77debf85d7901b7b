"""One step: the rate, the gradient in its precision, the optimiser."""

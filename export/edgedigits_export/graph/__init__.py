"""Networks that are no chain of Dense layers, as the steps that a file of floats computes."""

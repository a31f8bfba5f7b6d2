"""From what the user gives to the input tensors of a model."""

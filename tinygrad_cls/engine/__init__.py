"""The mini-framework itself: Tensors that record, and the walk back through the record. It imports NumPy alone."""

"""The mini-framework itself: Tensors that record, and the walk back through the record. It imports NumPy alone.

`README.md` in this folder says in which order to read it, and follows one `loss.backward()` from file to file.
"""

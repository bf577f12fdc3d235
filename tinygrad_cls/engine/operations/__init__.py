"""The primitive operations, one entry each, and the array functions composed from them.

To add one, write one entry: see `entry.operation`. Importing this package fills the tables in `tensor.py`.
"""

from . import constants, elementwise, products, random, reductions, shapes

__all__ = ["constants", "elementwise", "products", "random", "reductions", "shapes"]

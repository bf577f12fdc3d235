"""NumPy's functions that are composed of operations, SciPy's ufuncs, and einops, on Tensors.

Importing this package makes them known. Nothing here is a name of ours: `np.median(t)`, `scipy.special.expit(t)`,
`einops.rearrange(t, "h w -> w h")` are called as ever. Each is a composite: it draws as one box that unfolds,
and differentiates to any order.

What each does is what the library says of it. Options that are missing here have no derivative, or write to arrays.
"""

from . import einops_backend, elements, joining, linear_algebra, moving, products, scipy_special, sequences, statistics

__all__ = ["einops_backend", "elements", "joining", "linear_algebra", "moving"]
__all__ += ["products", "scipy_special", "sequences", "statistics"]

"""The primitive operations, one entry each, and the array functions composed from them.

To add one, write one entry: see `entry.elementwise` and `entry.operation`. Importing this package fills the tables in
`engine/operation.py`; what is public in its modules is exported from here, and from `tinygrad_cls`.
"""

# ruff: noqa: F403  (names are exported as they are defined)

from typing import TYPE_CHECKING

from ..operation import OPERATIONS as OPERATIONS
from . import activations, choosing, elementary, elementwise, logic, picking, products, reductions, shapes
from . import constants as constants
from . import in_place as in_place
from . import linear_algebra as linear_algebra
from . import methods as methods
from . import protocols as protocols
from . import random as random
from . import selecting as selecting
from . import sequences as sequences
from .entry import worded

if TYPE_CHECKING:
    from .activations import *
    from .choosing import *
    from .elementary import *
    from .elementwise import *
    from .logic import *
    from .picking import *
    from .products import *
    from .reductions import *
    from .shapes import *
else:
    __all__ = []
    for _module in (elementwise, elementary, choosing, logic, reductions, shapes, picking, products, activations):
        for _name, _function in vars(_module).items():
            if callable(_function) and _function.__module__ == _module.__name__ and not _name.startswith("_"):
                globals()[_name] = worded(_function)
                __all__.append(_name)

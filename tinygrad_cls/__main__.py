"""`python -m tinygrad_cls`: the same as `tinygrad-cls`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

"""The names of the steps that forms and spellings speak of: operations of the engine, and a few of our own."""

SUBTRACT, MULTIPLY, DIVIDE, NEGATIVE = "subtract", "multiply", "divide", "negative"
MAXIMUM, MINIMUM = "maximum", "minimum"
EQUAL, NOT_EQUAL, LESS_EQUAL, LOGICAL_NOT = "equal", "not_equal", "less_equal", "logical_not"
POWER, SPREAD_MEAN = "power", "spread_mean"
WHERE, SELECT, BELOW = "where", "select", "below"
SUM, MEAN, MAX, MATMUL = "sum", "mean", "max", "matmul"
RESHAPE, PERMUTE_DIMS, BROADCAST_TO, CONCAT, EINSUM, ASTYPE = (
    "reshape",
    "permute_dims",
    "broadcast_to",
    "concat",
    "einsum",
    "astype",
)

COPY = "copy"  # an array of its own
VIEW = "view"  # the same bits as another dtype
TAKE = "take"  # rows by their numbers
SELECT_DOT = "select_dot"  # the product of two vectors, where what has the weight 0 does not count, be it infinite
CHOSEN = "chosen"  # of each row the element at its class number

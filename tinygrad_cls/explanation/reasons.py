"""The derivative of each operation in words."""

DERIVATIVES = {
    "add": "a sum passes the gradient on to each of its terms, unchanged",
    "subtract": "a difference passes the gradient on: unchanged to the first, with a minus to the second",
    "multiply": "in a product the gradient goes to each factor, times the other factor",
    "divide": "the derivative of a / b by a is 1 / b, and by b it is −(a / b) / b",
    "negative": "the derivative of −x is −1: the sign changes",
    "power": "the derivative of xᵖ is p xᵖ⁻¹",
    "exp": "exp is its own derivative",
    "expm1": "exp is its own derivative, and the constant −1 has none",
    "log": "the derivative of log x is 1 / x",
    "log1p": "the derivative of log(1 + x) is 1 / (1 + x)",
    "sqrt": "the derivative of √x is 1 / (2 √x)",
    "square": "the derivative of x² is 2 x",
    "sin": "the derivative of sin is cos",
    "cos": "the derivative of cos is −sin",
    "tan": "the derivative of tan x is 1 + tan² x",
    "sinh": "the derivative of sinh is cosh",
    "cosh": "the derivative of cosh is sinh",
    "tanh": "the derivative of tanh x is 1 − tanh² x",
    "erf": "the derivative of erf x is 2/√π exp(−x²)",
    "abs": "the derivative of |x| is its sign (0 at 0)",
    "maximum": "the gradient goes to the larger of the two",
    "minimum": "the gradient goes to the smaller of the two",
    "where": "the gradient goes to the one that was chosen, and the other gets 0",
    "sum": "every term of a sum counts once, so each receives the whole gradient",
    "mean": "each of the terms of a mean counts one part in their number",
    "max": "only the largest decides, so it receives the gradient",
    "min": "only the smallest decides, so it receives the gradient",
    "matmul": "in a matrix product the gradient is multiplied by the other matrix, turned so that rows meet columns",
    "cumulative_sum": "a term is in every running sum after it, so it receives all their gradients",
    "getitem": "the gradient goes back to where the value was picked",
    "concat": "each part receives the gradient of its own place",
}


def derivative_in_words(operation: str) -> str:
    """Why the derivative of an operation is what it is."""
    return DERIVATIVES.get(operation, f"the derivative of {operation}")

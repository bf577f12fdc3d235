"""What stands in for letters that would do something instead of being seen."""


def visible(text: str) -> str:
    r"""A name as a terminal or a page may have it: each letter that has no picture is spelt as Python spells it.

    Those are escapes and other control characters, line ends, marks that turn the direction of writing or take no room,
    and halves of surrogates, which no file can hold.

    Args:
        text: anybody's: the name of a tensor, a class in a file.

    Example:
        >>> from tinygrad_cls.visible import visible
        >>> print(visible("\x1b[31mred"), visible("y′"))
        \x1b[31mred y′
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

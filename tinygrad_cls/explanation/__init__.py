"""`explain`: why a gradient is what it is."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.tensor import Tensor

if TYPE_CHECKING:
    from ..algebra.rule import Rule
    from .derivation import Derivation, Way
else:
    Rule = Derivation = Way = Any  # most programs that import the package explain nothing: these take a while to load


def explain(
    output: Tensor,
    wrt: Tensor,
    *,
    names: Mapping[str, Tensor] | None = None,
    rules: tuple[Rule, ...] | None = None,
    way: Way | None = None,
    lang: str | None = None,
) -> Derivation:
    """Derive the gradient of a loss, rule by rule, and simplify it, with a proof of each step on the recorded data.

    Args:
        output: the loss: a recorded Tensor with one element.
        wrt: what to differentiate by: a Tensor that the loss was computed from.
        names: names for Tensors in the formulas, before their own `.name`. A Tensor that was computed on the side, such
            as `names={"y′": tg.softmax(z)}`, is recognised wherever it appears.
        rules: the rules of algebra to use; by default all of `algebra/rules.py`.
        way: "backward", as the machine goes; "lemmas", with the derivatives of composites such as softmax, proved once
            and cited; or "loss", where the loss is rewritten before it is differentiated: the logarithm undoes the
            exponential. By default the one with the fewest steps. All end in the same line; of more than 60 operations
            each may have its own.
        lang: the language of its sentences: "en" or "zh"; by default what the environment variable `TINYGRAD_CLS_LANG`
            says, else English.

    Warns:
        UserWarning: when a formula differs from what `backward` gives by more than rounding. The derivation says so in
            its first line.

    Returns:
        A `Derivation`: printed, it is the whole derivation; `.gradient` is its last line.

    Raises:
        TypeError: when `output` or `wrt` is no Tensor, or `names` is no dict from text to Tensors.
        ValueError: when `output` has several elements, or was not computed from `wrt`; when there is no such way, or no
            sentences in the language.

    Example:
        >>> import tinygrad_cls as tg
        >>> z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
        >>> y = tg.one_hot(2, num_classes=3)
        >>> y.name = "y"
        >>> p = tg.softmax(z)
        >>> p.name = "y′"
        >>> print(tg.explain(-(y * tg.log(p)).sum(), wrt=z).gradient)
        y′ − y
    """
    for role, t in (("output", output), ("wrt", wrt)):
        if not isinstance(t, Tensor):
            raise TypeError(f"explain: {role} must be a Tensor, not {type(t).__name__}")
    from ..algebra.rules import RULES  # only now: most programs that import the package explain nothing
    from .sentences import language
    from .source import caller
    from .ways import WAYS, Question

    if way is not None and way not in WAYS:
        raise ValueError(f"explain: way must be {', '.join(map(repr, WAYS))} or None, not {way!r}")
    question = Question(output, wrt, names, RULES if rules is None else rules, language(lang), caller(sys._getframe(1)))
    derivation = question.derivation(way)
    if derivation.alarm is not None:
        warnings.warn(derivation.alarm, stacklevel=2)
    return derivation

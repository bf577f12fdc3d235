"""The language that is spoken, the words above tables, and those in drawings."""

from __future__ import annotations

import os

HEADERS = {"en": ("value", "gradient"), "zh": ("值", "梯度")}
"""By language: what stands above the columns of values and of gradients."""

PICTURE = {
    "en": {
        "parameter": "gets a gradient",
        "constant": "given, no gradient",
        "operation": "computed",
        "composite": "composite",
        "elided": "many operations",
        "output": "output",
        "gradient": "gradient of {output}",
        "no gradient": "no gradient goes back",
        "scalar": "scalar",
        "repeated": "× {times:,} (the last one shown)",
        "parameters": "{n:,} parameters",
        "nodes": "{n:,} nodes",
        "part": "{name}, a part of {call}",
    },
    "zh": {
        "parameter": "求梯度",
        "constant": "给定，不求梯度",
        "operation": "计算所得",
        "composite": "复合运算",
        "elided": "许多运算",
        "output": "输出",
        "gradient": "{output} 的梯度",
        "no gradient": "没有梯度传回",
        "scalar": "标量",
        "repeated": "× {times:,}（只画最后一层）",
        "parameters": "{n:,} 个参数",
        "nodes": "{n:,} 个节点",
        "part": "{name}：{call} 的一部分",
    },
}
"""By language: the words of a picture."""


def language(lang: str | None) -> str:
    """The language asked for, else that of `TINYGRAD_CLS_LANG`, else English.

    Raises:
        ValueError: when there are no sentences in it.
    """
    asked = lang or os.environ.get("TINYGRAD_CLS_LANG") or "en"
    if asked not in HEADERS:
        source = "lang" if lang else "TINYGRAD_CLS_LANG"
        raise ValueError(f"{source} is {asked!r}; there are sentences in {' and '.join(map(repr, HEADERS))}")
    return asked

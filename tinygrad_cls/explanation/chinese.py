"""What rules and conditions say, in Chinese, by what they say in English.

Letters in braces, `{x}` or `{0}`, stand for formulas. What operations say stands in their entries.
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"\{(\w+)\}")

RULE_NAMES = {
    "definition of softmax": "softmax 的定义",
    "definition of softmax, inside a sum": "softmax 的定义（在求和号内）",
    "softmax ignores a shift": "softmax 不受平移影响",
    "log Σ exp carries a shift through": "log Σ exp 保持平移",
    "log(1 + exp) carries a shift through": "log(1 + exp) 保持平移",
    "logarithm of softmax": "softmax 的对数",
    "definition of the sigmoid": "sigmoid 的定义",
    "definition of tanh": "tanh 的定义",
    "mirror of the sigmoid": "sigmoid 的对称性",
    "softmax of two classes": "两类时的 softmax",
    "exp undoes log": "指数与对数互逆",
    "beside the kink": "折点之外",
    "at the kink": "折点处",
    "where nothing flows": "没有梯度通过之处",
    "positive part": "正部",
    "cancel": "约分",
    "one-hot rows keep one value": "独热向量保留一个值",
    "one-hot rows keep one value, in front": "独热向量选出的值提到前面",
    "powers add up": "指数相加",
    "rows sum to 1": "每行之和为 1",
    "take out a common factor": "提取公因式",
    "take out a common bracket": "提取公共的括号",
    "put sums together": "合并求和",
    "mean of a constant": "常数的加权平均",
    "multiply out": "展开括号",
    "split the sum": "拆开求和",
    "pick a place": "取一个位置",
    "one-hot selects": "独热向量选出一个值",
    "the logarithm of softmax": "softmax 的对数",
    "the logarithm of the sigmoid": "sigmoid 的对数",
    "log undoes exp": "对数与指数互逆",
    "the logarithm of a product": "乘积的对数",
    "the logarithm of one over something": "倒数的对数",
    "a shift comes out of log Σ exp": "平移移出 log Σ exp",
    "a shift comes out of log(1 + exp)": "平移移出 log(1 + exp)",
    "solve for a name": "用已有的名称表示",
    "chain rule": "链式法则",
    "algebra": "代数化简",
}

REASONS = {
    # the rules of algebra
    "an exponential divided by the sum of the exponentials is what softmax means": (
        "指数除以所有指数之和，正是 softmax 的定义"
    ),
    "a number divides every term of a sum alike, "
    "and an exponential divided by the sum of the exponentials is softmax": (
        "除以一个数，就是求和的每一项都除以它；而指数除以所有指数之和就是 softmax"
    ),
    "subtracting a constant from every logit leaves softmax unchanged: the factor exp({c}) stands above and below the "
    "line": "每个对数几率都减去同一个常数，softmax 不变：因子 exp({c}) 同时出现在分子和分母中",
    "divide above and below the line by the exponential above: 1 / (1 + exp(−…)) is what sigmoid means, and a shift of "
    "both exponents drops out": (
        "分子、分母同除以分子的指数：1 / (1 + exp(−…)) 正是 sigmoid 的定义，两个指数共同的平移也随之消去"
    ),
    "the hyperbolic sine divided by the hyperbolic cosine is what tanh means": "双曲正弦除以双曲余弦正是 tanh 的定义",
    "the two classes share the probability 1: σ(−x) and σ(x) add up to it": (
        "两类的概率之和为 1：σ(−x) 与 σ(x) 相加等于 1"
    ),
    "with two classes, dividing above and below the line by one exponential leaves 1 / (1 + exp(−difference)): the "
    "sigmoid of the difference of the logits": (
        "只有两类时，分子、分母同除以一个指数，得到 1 / (1 + exp(−差))：即两个对数几率之差的 sigmoid"
    ),
    "exp(a + log b) = exp(a) · b, since exp undoes log": "exp(a + log b) = exp(a) · b，因为指数与对数互为逆运算",
    "0 in some places and unchanged in the others is a product with 0 and 1": (
        "有些位置为 0、其余不变，就是乘以 0 或 1"
    ),
    "what is done at the kink itself, where {x} is {y}, does not matter here": (
        "折点处（{x} 等于 {y} 之处）的约定在这里用不上"
    ),
    "where the two are equal each gets one half: the mean of what comes back with and without the kink": (
        "两者相等时各得一半：即包含折点与不包含折点两种情形的平均"
    ),
    "what is kept where it is positive, and 0 elsewhere, is the larger of it and 0": (
        "为正时保留、否则为 0 的量，就是它与 0 中较大的一个"
    ),
    "the same factor {x} stands above and below the line": "分子和分母有相同的因子 {x}",
    "the one-hot row leaves of {v} the value that it is divided by, so the two cancel": (
        "独热向量从 {v} 中只留下一个值，恰好就是它所除以的值，两者相约"
    ),
    "the one-hot row leaves of {v} the value that is subtracted: it goes in front of the bracket": (
        "独热向量从 {v} 中只留下一个值，恰好就是括号里减去的值，可以提到括号外面"
    ),
    "in a product of powers of {x} the exponents add up": "{x} 的幂相乘，指数相加",
    "every row of {u} sums to 1": "{u} 的每一行之和为 1",
    "the terms have {x} in common, which goes in front of a bracket": "各项有公因式 {x}，提到括号外面",
    "the sums run over the same places, and {x} is common to their terms: one sum will do": (
        "这些求和的范围相同，且各项有公因式 {x}，可以合并为一个求和"
    ),
    "{u} sums to 1, so the mean with these weights of {c}, which is the same everywhere, is {c} itself": (
        "{u} 之和为 1，而 {c} 处处相同，所以它以此为权的平均就是 {c} 本身"
    ),
    "{y} stands there once more, alone: together that is {y} times a bracket with a 1 in it": (
        "{y} 又单独出现一次：合起来就是 {y} 乘以一个含有 1 的括号"
    ),
    "every term in the brackets is multiplied by what stands in front, so that equal parts meet": (
        "括号前的因子乘到括号里的每一项，以便相同的部分合并或约去"
    ),
    "the sum of a sum can be added up part by part": "和的求和可以逐项进行",
    "element by element: one place of the result comes from the same place of its parts": (
        "逐元素运算：结果的每个位置只来自各部分的同一位置"
    ),
    "a one-hot row keeps one value and sets the others to 0: that value is the row's sum of products": (
        "独热向量保留一个值，其余变为 0：这个值就是该行乘积之和"
    ),
    "the factor exp(−{c}) is common to all terms of the sum: its logarithm −{c} and {c} cancel": (
        "求和的各项有公因子 exp(−{c})：它的对数 −{c} 与 {c} 相消"
    ),
    "the factor exp(−{y}) is common to both terms: its logarithm −{y} and {y} cancel": (
        "两项有公因子 exp(−{y})：它的对数 −{y} 与 {y} 相消"
    ),
    "the logarithm of a fraction is that of what stands above, here {u}, less that of what stands below": (
        "分数的对数等于分子的对数（这里是 {u}）减去分母的对数"
    ),
    # the rules that open logarithms
    "softmax is a fraction: its logarithm is that of the exponential above, which the logarithm undoes, less that of "
    "the sum below": "softmax 是一个分数：它的对数等于分子（指数，被对数抵消）的对数减去分母（求和）的对数",
    "σ(x) = exp(x) / (1 + exp(x)): the logarithm undoes the exponential above, and log(1 + exp(x)) is subtracted": (
        "σ(x) = exp(x) / (1 + exp(x))：对数抵消分子的指数，再减去 log(1 + exp(x))"
    ),
    "the logarithm undoes the exponential": "对数抵消指数",
    "the logarithm of a product is the sum of the logarithms, and that of a quotient their difference": (
        "乘积的对数等于对数之和，商的对数等于对数之差"
    ),
    "the logarithm of one over something is minus its logarithm": "倒数的对数等于对数的相反数",
    "the factor exp({c}) is common to all terms of the sum, and its logarithm is {c}": (
        "求和的各项有公因子 exp({c})，它的对数是 {c}"
    ),
    "the factor exp({y}) is common to both terms, and its logarithm is {y}": ("两项有公因子 exp({y})，它的对数是 {y}"),
    "{c} is {h}, divided by what else is in that: so it can be written by the name": (
        "{c} 等于 {h} 除以其中其余的因子，所以可以用这个名称来表示"
    ),
    # their conditions
    "{0} is always positive": "{0} 恒为正",
    "{0} ≠ 0": "{0} ≠ 0",
    "{0} ≠ {1}": "{0} ≠ {1}",
    "{0} is one-hot: one 1 among zeros": "{0} 是独热向量：一个 1，其余为 0",
    "softmax divides by exactly this sum": "softmax 除以的正是这个和",
    "{0} mixes one-hot rows and equal shares in parts that add up to 1": (
        "{0} 由独热向量与均匀分布按总和为 1 的比例混合而成"
    ),
    "{0} mixes softmax rows and equal shares in parts that add up to 1": (
        "{0} 由 softmax 的输出与均匀分布按总和为 1 的比例混合而成"
    ),
    "Σ {0} = 1": "Σ {0} = 1",
}


def _counted(sentence: str, letters: list[str]) -> str:
    """The sentence with numbers for its letters."""
    return _LETTER.sub(lambda found: "{" + str(letters.index(found[1])) + "}", sentence)


def _letters(sentence: str) -> list[str]:
    """The letters of a sentence, each once, in the order of reading."""
    return list(dict.fromkeys(_LETTER.findall(sentence)))


_BY_FORM = {
    _counted(english, _letters(english)): _counted(chinese, _letters(english)) for english, chinese in REASONS.items()
}


def in_chinese(sentence: str) -> str:
    """A sentence of a rule or a condition in Chinese; as it is where nothing is known of it."""
    return _BY_FORM.get(_counted(sentence, _letters(sentence)), sentence)

"""What rules and conditions say, in Chinese, by what they say in English.

Letters in braces, `{x}` or `{0}`, stand for formulas. What operations say stands in their entries.
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"\{(\w+)\}")

RULE_NAMES = {
    "definition of softmax": "softmax 的定义",
    "definition of softmax, inside a sum": "softmax 的定义（在求和号内）",
    "softmax ignores a shift": "softmax 的平移不变性",
    "log Σ exp carries a shift through": "log Σ exp 的平移性质",
    "log(1 + exp) carries a shift through": "log(1 + exp) 的平移性质",
    "logarithm of softmax": "softmax 的对数",
    "definition of the sigmoid": "sigmoid 的定义",
    "definition of tanh": "tanh 的定义",
    "mirror of the sigmoid": "sigmoid 的对称性",
    "softmax of two classes": "两类时的 softmax",
    "exp undoes log": "指数抵消对数",
    "beside the kink": "不在折点处",
    "at the kink": "折点处",
    "where nothing flows": "没有梯度通过之处",
    "positive part": "正部",
    "cancel": "约分",
    "one-hot rows keep one weighed value, in front": "独热向量只留一个加权的值，提到括号前",
    "one-hot rows keep one value": "独热向量只留一个值",
    "one-hot rows keep one value, in front": "独热向量选出的值提到括号外",
    "what is left of the whole": "整体中剩下的部分",
    "powers add up": "指数相加",
    "rows sum to 1": "每行之和为 1",
    "take out a common factor": "提取公因式",
    "take out a common bracket": "提取公因子括号",
    "put sums together": "合并求和",
    "mean of a constant": "常数的加权平均",
    "multiply out": "展开括号",
    "split the sum": "拆开求和",
    "pick a place": "按位置取元素",
    "one-hot selects": "独热向量选出一个值",
    "the logarithm of softmax": "softmax 的对数",
    "the logarithm of the sigmoid": "sigmoid 的对数",
    "log undoes exp": "对数抵消指数",
    "the logarithm of a product": "乘积的对数",
    "the logarithm of one over something": "倒数的对数",
    "a shift comes out of log Σ exp": "把平移移出 log Σ exp",
    "a shift comes out of log(1 + exp)": "把平移移出 log(1 + exp)",
    "beside the edge": "边界之外",
    "size and sign": "绝对值与符号",
    "definition of Φ": "Φ 的定义",
    "definition of φ": "φ 的定义",
    "solve for a name": "用已有的名称表示",
    "another way to write it": "换一种写法",
    "chain rule": "链式法则",
    "algebra": "代数化简",
}

REASONS = {
    # the rules of algebra
    "an exponential divided by the sum of the exponentials is what softmax means": (
        "一个指数除以所有指数之和，正是 softmax 的定义"
    ),
    "a number divides every term of a sum alike, "
    "and an exponential divided by the sum of the exponentials is softmax": (
        "和除以一个数，等于每一项都除以这个数；而一个指数除以所有指数之和就是 softmax"
    ),
    "subtracting a constant from every logit leaves softmax unchanged: the factor exp({c}) stands above and below the "
    "line": "每个对数几率都减去同一个常数，softmax 不变：分子和分母都有因子 exp({c})，可以约去",
    "divide above and below the line by the exponential above: 1 / (1 + exp(−…)) is what sigmoid means, and a shift of "
    "both exponents drops out": (
        "分子、分母同除以分子中的指数：1 / (1 + exp(−…)) 正是 sigmoid 的定义，两个指数共同的平移也随之消去"
    ),
    "the hyperbolic sine divided by the hyperbolic cosine is what tanh means": "双曲正弦除以双曲余弦正是 tanh 的定义",
    "the two classes share the probability 1: σ(−x) and σ(x) add up to it": (
        "两类的概率之和为 1：σ(−x) 与 σ(x) 相加等于 1"
    ),
    "with two classes, dividing above and below the line by one exponential leaves 1 / (1 + exp(−difference)): the "
    "sigmoid of the difference of the logits": (
        "只有两类时，分子、分母同除以一个指数，得到 1 / (1 + exp(−差))，即两个对数几率之差的 sigmoid"
    ),
    "exp(a + log b) = exp(a) · b, since exp undoes log": "exp(a + log b) = exp(a) · b，因为指数抵消对数",
    "0 in some places and unchanged in the others is a product with 0 and 1": (
        "有些位置变为 0、其余位置不变，就是乘以 0 或 1"
    ),
    "what is done at the kink itself, where {x} is {y}, does not matter here": (
        "折点处（{x} 等于 {y} 的地方）怎样约定，在这里没有影响"
    ),
    "where the two are equal each gets one half: the mean of what comes back with and without the kink": (
        "两者相等时各得一半：即计入折点与不计入折点所传回梯度的平均"
    ),
    "what is kept where it is positive, and 0 elsewhere, is the larger of it and 0": (
        "为正时保留，否则取 0，就是它与 0 中较大的一个"
    ),
    "the same factor {x} stands above and below the line": "分子和分母有相同的因子 {x}",
    "the one-hot row leaves of {v} the value that it is divided by, so the two cancel": (
        "独热向量从 {v} 中只留下一个值，恰好就是分母中的值，两者约去"
    ),
    "the one-hot row leaves of {v} the value that is subtracted: it goes in front of the bracket": (
        "独热向量从 {v} 中只留下一个值，恰好就是括号里减去的值，可以提到括号外面"
    ),
    "the one-hot row leaves one value of the sum, and that is the other term, too: it goes in front": (
        "独热向量在求和中只留下一个值，另一项也正是这个值：把它提到括号前面"
    ),
    "{x} is a part of {y}: when its share is taken from the whole, that of the other terms is left": (
        "{x} 是 {y} 的一部分：从整体中减去它所占的份额，剩下的就是其余各项的份额"
    ),
    "in a product of powers of {x} the exponents add up": "{x} 的幂相乘，指数相加",
    "the sum over each row of {u} is known: it is 1": "{u} 每行之和是已知的，等于 1",
    "the terms have {x} in common, which goes in front of a bracket": "各项有公因式 {x}，提到括号外面",
    "the sums run over the same places, and {x} is common to their terms: one sum will do": (
        "这些求和的范围相同，且各项有公因式 {x}，可以合并为一个求和"
    ),
    "{u} sums to 1, so the mean of {c}, weighted by {u}, is {c} itself: it is the same everywhere": (
        "权重 {u} 之和为 1，而 {c} 处处相同，所以 {c} 的加权平均就是它本身"
    ),
    "{y} stands there once more, alone: together that is {y} times a bracket with a 1 in it": (
        "{y} 还单独出现一次：合起来就是 {y} 乘以括号，括号里多一个 1"
    ),
    "every term in the brackets is multiplied by what stands in front": ("用括号前的因子去乘括号里的每一项"),
    "the sum of a sum can be added up part by part": "对几项之和求和，可以分别对各项求和",
    "element by element: one place of the result comes from the same place of its parts": (
        "逐元素运算：结果的每个位置只取决于各部分的同一位置"
    ),
    "a one-hot row keeps one value and sets the others to 0: that value is the row's sum of products": (
        "独热向量保留一个值，其余变为 0：各项乘积之和就是这个值"
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
    "softmax is a fraction: the logarithm undoes the exponential above the line, and that of the sum below is "
    "subtracted": "softmax 是一个分数：对数抵消分子中的指数，再减去分母（即总和）的对数",
    "σ(x) = exp(x) / (1 + exp(x)): the logarithm undoes the exponential above, and log(1 + exp(x)) is subtracted": (
        "σ(x) = exp(x) / (1 + exp(x))：对数抵消分子中的指数，再减去 log(1 + exp(x))"
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
    "{h} is {c} times other factors, so {c} can be written with {h}": (
        "{h} 等于 {c} 乘以其余因子，所以 {c} 可以用 {h} 来写"
    ),
    "the same gradient, in the shortest form that any of the three ways comes to; that way has the steps to it": (
        "同一个梯度，写成三种方法所得的最短形式；中间步骤见得出这一形式的那种方法"
    ),
    "Φ(x) = (1 + erf(x / √2)) / 2 is the share of the standard normal distribution that lies below x": (
        "Φ(x) = (1 + erf(x / √2)) / 2 是标准正态分布中小于 x 的概率"
    ),
    "φ(x) = exp(−x² / 2) / √(2 π), the density of the standard normal distribution, is the slope of Φ(x)": (
        "φ(x) = exp(−x² / 2) / √(2 π) 是标准正态分布的概率密度，也是 Φ(x) 的导数"
    ),
    "what is done where {x} is 0 does not matter here": "{x} 等于 0 处的约定在这里不起作用",
    "a number times its sign is its absolute value": "一个数乘以它的符号等于它的绝对值",
    # their conditions
    "{0} is always positive": "{0} 恒为正",
    "{0} ≠ 0": "{0} ≠ 0",
    "{0} ≠ {1}": "{0} ≠ {1}",
    "{0} is one-hot: one 1 among zeros": "{0} 是独热向量：一个 1，其余为 0",
    "softmax divides by exactly this sum": "softmax 的分母正是这个总和",
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

"""Every sentence of a derivation by its key, in each language; `{…}` are filled in when it is said."""

from __future__ import annotations

from ..drawing.words import language
from .chinese import RULE_NAMES, in_chinese

__all__ = ["SENTENCES", "language", "rule_name", "say", "translated"]

SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "why": "Why {result}",
        "alarm": "Do not trust this derivation: on the recorded data a formula differs from backward by {error}, which "
        "is more than rounding. The steps say where, by their Δ.",
        "meaning": "where",
        "and": "and",
        "chain rule": "The chain rule: from {output} back to {wrt}",
        "computed": "{output} is computed step by step. The chain rule takes these steps from the last to the first.",
        "short for": "∂{name} is short for ∂{output}/∂{name}, and Δ is how far a formula is from what backward gave.",
        "long way": "And the long way, one operation at a time:",
        "rewriting": "The loss, written in another form",
        "algebra": "Algebra: the same gradient, simpler",
        "result": "Result",
        "more steps": "{n} more steps (all in .steps)",
        "long formula": "(a formula of {n} parts)",
        "length": "{capital} = {length}, the length of axis {axis} of {name}",
        "sign ⊙": "⊙ multiplies element by element",
        "sign Σ": "Σ adds up all elements of what follows it",
        "sign index": "the index {letter} runs along axis {axis} of {name}, from 1 to {capital} = {length}",
        "sign at": "[…] after a name picks by place, counted from 0; a colon keeps the whole axis",
        "sign σ": "σ(x) = 1 / (1 + exp(−x)), the sigmoid",
        "sign mask": "[…] is 1 where the condition holds, else 0",
        "sign stop": "stop(…) is held constant: no gradient goes back through it",
        "unnamed": "{letter} was given without a name: {value}",
        "renamed": "{name} is another tensor with the name {given}",
        "loose": "{letter} is held constant; what it was computed from is not in the graph: {value}",
        "assumed": "Assumed, and checked on the data: {fact}.",
        "checked": "Checked: at every step the formula was evaluated on the recorded data and compared with backward; "
        "the largest difference is {error}.",
        "stalls": "The factor {factor} stands in front: where {factor} is near 0 the gradient is near 0 too, however "
        "wrong the output is. Learning stalls there.",
        "asked": "Asked is how fast {output} grows when one number in {wrt} grows a little. ∂{output}/∂{wrt} says it "
        "for each of them, and a step of descent goes the other way.",
        "asked of a gradient": "{output} is itself made of a gradient, so this is a derivative of a derivative. The "
        "second derivatives form the Hessian, a table with a row and a column for each number in {wrt}; {v} is a "
        "direction, and the result is the Hessian times {v}: how the gradient changes as {wrt} moves along {v}.",
        "way loss": "The way: first the loss is written in another form, then that is differentiated.",
        "way lemmas": "The way: the chain rule, with the derivatives of known functions cited as lemmas.",
        "way backward": "The way: the chain rule, one operation at a time, as backward goes.",
        "undone": "Why it is so simple: the logarithm in the loss undoes the exponential in the output; what is left "
        "are terms with simple slopes.",
        "cancelled": "Why it is so simple: the derivative of the logarithm has 1 / {factor}, that of {maker} has the "
        "factor {factor}: they cancel.",
        "stalls at both ends": "Where {factor} is near 1 the bracket is near 0: the gradient dies at both ends.",
        "stalls at 0 and 1": "Beside it stands 1 − {factor}, which is near 0 where {factor} is near 1: the gradient "
        "dies at both ends.",
        "pushes": "How to read it: {output} − {target} is the error. Where {output} is above {target} a step of "
        "descent lowers it, where it is below the step raises it, and where they are equal nothing happens.",
        "pushes sum to 0": "{output} and {target} both sum to 1, so the pushes sum to 0: what one class gains the "
        "others lose.",
        "via": "via",
        "by way": "∂{name} via {via} is the part of ∂{name} that comes back by way of {via}.",
        "added up": "add up",
        "add ways": "{name} is used in {ways}: what comes back by each way is added up",
        "list": " and in ",
        "repeated": "one {name} serves several elements, and what comes back from them is added up",
        "in short": "from here on it is written {formula}",
        "held": "{name} is held constant: no gradient goes back through it",
        "shift": "{name} is held constant, because a shift of all inputs by the same number changes nothing in the end",
        "because": "{reason}, because {condition}",
        "in the data": "{condition} in the recorded data",
        "lemma": "the derivative of {name}, proved below as a lemma, with {arriving} put in",
        "lemma of the loss": "the derivative of {name}, proved below as a lemma",
        "lemmas": "Lemmas: the derivatives that were cited",
        "entries": "entry by entry: ∂{p}ᵢ/∂{z}ⱼ = {p}ᵢ (δᵢⱼ − {p}ⱼ), where δᵢⱼ is 1 for i = j and else 0",
        "proof": "for {name}, proved by print(d.lemmas[{i}].proof)",
        "weighted_sum": "a weighted sum",
        "separator": "; ",
        "drawing before": "The gradient as the chain rule gives it",
        "drawing after": "The same gradient, simplified",
        "short cross_entropy": (
            "The logarithm undoes the exponential: −Σ y log y′ = log Σ exp(z) − Σ y z. The slope of the first "
            "term is softmax itself, y′, and that of the second is y."
        ),
        "short mse": (
            "Here no logarithm undoes the exponential: the slope of softmax stays in front of the error y′ − "
            "y, and is near 0 wherever y′ is near 0 or 1."
        ),
        "short stable_cross_entropy": (
            "Subtracting the largest logit before exp changes no result and keeps exp in range; then the "
            "logarithm undoes the exponential, as in the book."
        ),
        "short batch": "The loss is a mean over N samples, so each sample receives one N-th of its own y′ − y.",
        "short linear": (
            "The error of each sample at the logits is y′ − y; the matrix product hands it to each weight, "
            "times the input that the weight was multiplied by, and the samples add up: Xᵀ (y′ − y)."
        ),
        "short label_smoothing": (
            "Smoothing changes the target only. Its entries still sum to 1, and that is all the proof asks of it."
        ),
        "short temperature": "Logits that are divided by T move the loss T times less: y′ − y, divided by T.",
        "short logsumexp": (
            "log Σ exp(z) is a smooth maximum of the logits. How much each logit takes part in it is its share "
            "in the sum: softmax."
        ),
        "short binary_cross_entropy": (
            "Each yes-or-no question by itself is cross-entropy of two classes, so the logarithm undoes the "
            "exponential in the sigmoid, and σ(z) − y is left."
        ),
        "short two_classes": (
            "Softmax of two classes is the sigmoid of the difference of their logits; so this is binary "
            "cross-entropy, and its gradient is σ(d) minus the target of the second class."
        ),
        "short sigmoid_mse": (
            "No logarithm undoes the sigmoid: its slope σ (1 − σ) stays in front of the error σ − y, and is "
            "near 0 at both ends."
        ),
        "short linear_regression": (
            "The matrix product hands each weight the errors X w − t, times the inputs that it was multiplied "
            "by; the square gives the 2, and the mean the 1 / N."
        ),
        "short ridge": (
            "The errors pull as in linear regression; the penalty pulls each weight towards 0 in proportion to "
            "its size."
        ),
        "short lasso": (
            "The errors pull as in linear regression; the penalty pulls each weight towards 0 with the same "
            "force, large or small."
        ),
        "short network": (
            "The error y′ − y goes back through W₂ and the slope of tanh, 1 − h², to the hidden layer, which "
            "receives δ; from there on it is the linear case, Xᵀ δ."
        ),
        "short hessian_vector": (
            "L is the gradient y′ − y times a fixed direction v, so its own gradient is the Hessian times v: "
            "how fast the gradient changes as z moves along v. That is the slope of softmax: y′ times how far "
            "v is from its mean under y′."
        ),
        "from parts": "{loss} of softmax, from its parts:  loss = {formula},  y′ = exp(z) / Σ exp(z)",
        "difference": "largest difference: {error}",
        "lengths": "The factor y′ in front makes the gradient small wherever y′ is close to 0 or 1, right or wrong:\n"
        "its length is {squared} here, that of cross-entropy's y′ − y is {entropy}. Try --logits 10 0 0.",
        "drawings": "Drawings in {folder}",
        "drawn folded": "the composites as boxes",
        "drawn unfolded": "their parts in frames",
        "drawn gradients": "with gradients beside the values",
        "drawn gradient_graph": "the computation of the gradient itself, as recorded",
        "page": "The derivation as a page: {path}",
        "player steps": "Steps of the derivation",
        "player step": "Step {i} of {n}",
        "player slider": "Step",
        "player back": "One step back",
        "player next": "One step on",
        "player play": "Play",
        "player pause": "Pause",
        "player all": "All steps",
        "player way": "The way",
        "another way": "Another way: {way}",
        "touch": "Try other values",
        "touch back": "As it was",
        "by loss": "rewrite the loss",
        "by lemmas": "cite lemmas",
        "by backward": "as backward goes",
    },
    "zh": {
        "why": "为什么 {result}",
        "alarm": "此推导不可信：在所记录的数据上，某个公式与反向传播的结果相差 {error}，超出舍入误差。"
        "各步的 Δ 指出在哪里。",
        "meaning": "其中",
        "and": "且",
        "chain rule": "链式法则：从 {output} 反向推到 {wrt}",
        "computed": "{output} 按以下步骤计算；链式法则从最后一步开始，逐步走回第一步。",
        "short for": "∂{name} 是 ∂{output}/∂{name} 的简写；Δ 是公式的值与反向传播结果之差。",
        "long way": "下面是逐个运算的完整推导：",
        "rewriting": "改写损失函数",
        "algebra": "代数化简：同一个梯度，更简单的写法",
        "result": "结果",
        "more steps": "另有 {n} 步（全部见 .steps）",
        "long formula": "（由 {n} 个部分组成的公式）",
        "length": "{capital} = {length}，即 {name} 第 {axis} 轴的长度",
        "sign ⊙": "⊙ 表示逐元素相乘",
        "sign Σ": "Σ 表示对其后的所有元素求和",
        "sign index": "下标 {letter} 沿 {name} 的第 {axis} 轴，从 1 到 {capital} = {length}",
        "sign at": "名称后的 […] 按位置取值，从 0 数起；冒号表示保留整个轴",
        "sign σ": "σ(x) = 1 / (1 + exp(−x))，即 sigmoid 函数",
        "sign mask": "[…] 在条件成立处为 1，否则为 0",
        "sign stop": "stop(…) 视为常数：没有梯度经它传回",
        "unnamed": "{letter} 是没有命名的数据：{value}",
        "renamed": "{name} 是另一个名为 {given} 的张量",
        "loose": "{letter} 视为常数，它的来源已不在计算图中：{value}",
        "assumed": "所用的假设（已在数据上检验）：{fact}。",
        "checked": "检验：每一步的公式都代入所记录的数据求值，并与反向传播的结果比较；最大误差为 {error}。",
        "stalls": "前面有因子 {factor}：当 {factor} 接近 0 时，无论输出错得多厉害，梯度也接近 0，学习在那里停滞。",
        "asked": "问题：{output} 依赖于 {wrt}。若 {wrt} 中的某个数增大一点，{output} 变化多快？"
        "∂{output}/∂{wrt} 逐个回答这个问题，梯度下降则朝相反方向走一步。",
        "asked of a gradient": "{output} 本身由梯度构成，所以这是导数的导数。二阶导数组成黑塞矩阵（Hessian），"
        "{wrt} 的每个数对应其中一行和一列；{v} 是一个方向，结果是黑塞矩阵乘以 {v}："
        "当 {wrt} 沿 {v} 移动时，梯度如何变化。",
        "way loss": "方法：先改写损失函数，再求导。",
        "way lemmas": "方法：链式法则，已知函数的导数作为引理引用。",
        "way backward": "方法：链式法则，像反向传播那样逐个运算进行。",
        "undone": "为什么这么简单？损失中的对数抵消了输出中的指数，剩下的各项斜率都很简单。",
        "cancelled": "为什么这么简单？对数的导数带来 1 / {factor}，{maker} 的导数带来因子 {factor}：二者相消。",
        "stalls at both ends": "当 {factor} 接近 1 时，括号里也接近 0：梯度在两端都会消失。",
        "stalls at 0 and 1": "旁边还有 1 − {factor}，当 {factor} 接近 1 时它接近 0：梯度在两端都会消失。",
        "pushes": "怎样读它：{output} − {target} 是误差。{output} 高于 {target} 之处，下降一步使它降低；"
        "低于之处使它升高；相等之处不动。",
        "pushes sum to 0": "{output} 与 {target} 的和都是 1，所以这些推力之和为 0：一类所得，正是其余各类所失。",
        "via": "经",
        "by way": "∂{name} 经 {via} 指 ∂{name} 中沿 {via} 这条路径传回的部分。",
        "added up": "相加",
        "add ways": "{name} 用在 {ways} 中：各条路径传回的部分相加",
        "list": " 和 ",
        "repeated": "同一个 {name} 用于多个元素，它们传回的部分相加",
        "in short": "以下简写为 {formula}",
        "held": "{name} 视为常数：没有梯度经它传回",
        "shift": "{name} 视为常数，因为所有输入同时加上一个数，最终结果不变",
        "because": "{reason}，因为 {condition}",
        "in the data": "{condition}（见所记录的数据）",
        "lemma": "{name}的导数（作为引理证明于后），代入 {arriving}",
        "lemma of the loss": "{name}的导数（作为引理证明于后）",
        "lemmas": "引理：所引用的导数",
        "entries": "逐个元素写：∂{p}ᵢ/∂{z}ⱼ = {p}ᵢ (δᵢⱼ − {p}ⱼ)，其中 δᵢⱼ 在 i = j 时为 1，否则为 0",
        "proof": "{name}的导数，证明见 print(d.lemmas[{i}].proof)",
        "weighted_sum": "加权和",
        "separator": "；",
        "drawing before": "链式法则给出的梯度",
        "drawing after": "化简之后的同一个梯度",
        "short cross_entropy": (
            "对数与指数互逆：−Σ y log y′ = log Σ exp(z) − Σ y z。第一项的导数恰好是 softmax，即 y′；第二项的导数是 y。"
        ),
        "short mse": "这里没有对数来抵消指数：softmax 的导数留在误差 y′ − y 前面，当 y′ 接近 0 或 1 时它接近 0。",
        "short stable_cross_entropy": (
            "先减去最大的对数几率，结果不变，而指数不会溢出；此后对数与指数互逆，与教科书相同。"
        ),
        "short batch": "损失是 N 个样本的平均值，所以每个样本得到自己的 y′ − y 的 N 分之一。",
        "short linear": (
            "每个样本在对数几率处的误差是 y′ − y；矩阵乘法把它乘以对应的输入传给每个权重，再对样本求和：Xᵀ (y′ − y)。"
        ),
        "short label_smoothing": "标签平滑只改变目标；目标各项之和仍为 1，而证明只需要这一点。",
        "short temperature": "对数几率除以 T 之后，损失的变化也缩小为 T 分之一：y′ − y 除以 T。",
        "short logsumexp": (
            "log Σ exp(z) 是最大值的光滑近似。每个对数几率对它的影响，等于它在和中所占的份额，也就是 softmax。"
        ),
        "short binary_cross_entropy": (
            "每个“是或否”的问题都是一个两类的交叉熵：对数抵消了 sigmoid 中的指数，只剩下 σ(z) − y。"
        ),
        "short two_classes": (
            "两类的 softmax 就是两个对数几率之差的 sigmoid；所以这就是二元交叉熵，梯度是 σ(d) 减去第二类的目标值。"
        ),
        "short sigmoid_mse": "没有对数来抵消 sigmoid：它的导数 σ (1 − σ) 留在误差 σ − y 前面，在两端都接近 0。",
        "short linear_regression": (
            "矩阵乘法把误差 X w − t 乘以对应的输入传给每个权重；平方带来系数 2，平均带来 1 / N。"
        ),
        "short ridge": "误差的作用与线性回归相同；惩罚项把每个权重拉向 0，力度与权重的大小成正比。",
        "short lasso": "误差的作用与线性回归相同；惩罚项把每个权重拉向 0，无论大小力度都一样。",
        "short network": "误差 y′ − y 经 W₂ 和 tanh 的导数 1 − h² 传回隐藏层，隐藏层得到 δ；此后与线性情形相同：Xᵀ δ。",
        "short hessian_vector": (
            "L 是梯度 y′ − y 与固定方向 v 的内积，所以它的梯度是黑塞矩阵乘以 v，即 z 沿 v 移动时梯度的变化率。"
            "这正是 softmax 的导数：y′ 乘以 v 与其加权平均（权重为 y′）之差。"
        ),
        "from parts": "由基本运算写出的 softmax 与 {loss}：  loss = {formula}，  y′ = exp(z) / Σ exp(z)",
        "difference": "最大误差：{error}",
        "lengths": "前面的因子 y′ 使梯度在 y′ 接近 0 或 1 时很小，无论预测对错：\n"
        "这里它的长度是 {squared}，而交叉熵的 y′ − y 的长度是 {entropy}。试试 --logits 10 0 0。",
        "drawings": "图保存在 {folder}",
        "drawn folded": "复合运算画成方框",
        "drawn unfolded": "复合运算展开，放在框内",
        "drawn gradients": "数值旁边写出梯度",
        "drawn gradient_graph": "梯度本身的计算图（按实际记录）",
        "page": "推导的网页版：{path}",
        "player steps": "推导的步骤",
        "player step": "第 {i} 步，共 {n} 步",
        "player slider": "步骤",
        "player back": "上一步",
        "player next": "下一步",
        "player play": "播放",
        "player pause": "暂停",
        "player all": "全部步骤",
        "player way": "推导方法",
        "another way": "另一种方法：{way}",
        "touch": "试试其他数值",
        "touch back": "恢复原值",
        "by loss": "改写损失",
        "by lemmas": "引用引理",
        "by backward": "逐步反向传播",
    },
}


def say(lang: str, key: str, **values: object) -> str:
    """A sentence in a language; without values as it stands, with its braces."""
    sentence = SENTENCES[lang][key]
    return sentence.format(**values) if values else sentence


def translated(sentence: str, lang: str) -> str:
    """What a rule or an operation says, in a language."""
    return in_chinese(sentence) if lang == "zh" else sentence


def rule_name(name: str, lang: str) -> str:
    """The name of a rule of algebra in a language."""
    return RULE_NAMES.get(name, name) if lang == "zh" else name


def composite_name(name: str, lang: str) -> str:
    """What a composite is called in sentences: its name, unless the language has a word for it."""
    return SENTENCES[lang].get(name, f"{name} " if lang == "zh" else name)  # a space after Latin letters

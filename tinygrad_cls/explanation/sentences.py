"""Every sentence of a derivation by its key, in each language; `{…}` are filled in when it is said."""

from __future__ import annotations

from ..drawing.words import language
from .chinese import RULE_NAMES, in_chinese

__all__ = ["SENTENCES", "language", "rule_name", "say", "translated"]

SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "why": "Why {result}",
        "alarm": "Do not trust this derivation: on the recorded data a formula differs from backward by {error}, which "
        "is more than rounding. The Δ of each step shows where.",
        "meaning": "where",
        "and": "and",
        "chain rule": "The chain rule: from {output} back to {wrt}",
        "computed": "{output} is computed in these steps; the chain rule goes through them from the last to the first.",
        "short for": "∂{name} is short for ∂{output}/∂{name}; Δ is how far a formula is from what backward gave.",
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
        "sign at": "[…] after a name picks elements by their place, counted from 0; 1:3 are the places 1 and 2, and a "
        "colon alone is the whole axis",
        "sign put": "put[…](x) is x at these places and 0 elsewhere",
        "sign σ": "σ(x) = 1 / (1 + exp(−x)), the sigmoid",
        "sign Φ": "Φ(x) is the share of the standard normal distribution that lies below x; its slope is φ(x)",
        "sign φ": "φ(x) = exp(−x² / 2) / √(2 π), the density of the standard normal distribution",
        "sign mask": "[…] is 1 where the condition holds, else 0",
        "sign stop": "stop(…) is held constant: no gradient goes back through it",
        "unnamed": "{letter} was given without a name: {value}",
        "renamed": "{name} is another tensor with the name {given}",
        "loose": "{letter} is held constant; what it was computed from is not in the graph: {value}",
        "assumed": "Assumed, and checked on the data: {fact}.",
        "checked": "Checked: the formula of every step was evaluated on the recorded data and compared with backward; "
        "the largest difference is {error}.",
        "stalls": "The factor {factor} is left over: where {factor} is near 0 the gradient is near 0 too, however "
        "wrong the output is. Learning stalls there.",
        "asked": "∂{output}/∂{wrt} says, for each number in {wrt}, how fast {output} grows when that number grows a "
        "little. Gradient descent takes a step the other way.",
        "asked of a gradient": "{output} is itself made of a gradient, so this is a derivative of a derivative. The "
        "second derivatives form the Hessian, a matrix with a row and a column for each number in {wrt}; {v} is a "
        "direction, and the result is the Hessian times {v}: how the gradient changes as {wrt} moves along {v}.",
        "way loss": "The way: first rewrite the loss, then differentiate it.",
        "not rewritten": "Rewriting this loss would not make its terms simpler, so it is differentiated as it is.",
        "another slope": "Rewritten, this loss would have another slope at a kink, so it is differentiated as it is.",
        "way lemmas": "The way: the chain rule, with the derivatives of whole functions cited as lemmas.",
        "way backward": "The way: the chain rule, one operation at a time, as backward does it.",
        "undone": "Why it pays to rewrite: the logarithm in the loss undoes the exponential in the output, and the "
        "terms that are left are easy to differentiate.",
        "simple": "Why it is so simple: {reason}",
        "cancels": "What cancels: {reason}",
        "cancelled": "the derivative of the logarithm has the factor 1 / {factor}, that of {maker} has the factor "
        "{factor}, and the two cancel.",
        "stalls at both ends": "Where {factor} is near 1 the bracket beside it is near 0: the gradient vanishes at "
        "both ends.",
        "stalls at 0 and 1": "So is 1 − {factor}, which is near 0 where {factor} is near 1: the gradient vanishes at "
        "both ends.",
        "pushes": "How to read it: {output} − {target} is the error. Where {output} is too large a step of descent "
        "lowers {wrt}, where it is too small the step raises {wrt}, and where it is right {wrt} stays as it is.",
        "handed back": "How to read it: {output} − {target} is the error, and the rest of the formula hands it back to "
        "{wrt}. Where the error is 0 nothing comes back.",
        "arrives": "How to read it: {letter} is what the layer receives of the error {output} − {target}, which is "
        "handed back through all that lies between.",
        "shut": "Where {slope} is near 0, hardly anything comes through.",
        "weighed": "How to read it: {error} is the error, and {weight} weighs it. Where that is near 0, hardly "
        "anything comes back.",
        "weighed by the rest": "How to read it: {error} is the error, and the rest of the formula weighs it.",
        "errors sum to 0": "{output} and {target} both sum to 1 over the classes, so the errors sum to 0: what one "
        "class gains the others lose.",
        "via": "via",
        "by way": "∂{name} via {via} is the part of ∂{name} that comes back through {via}.",
        "added up": "add up",
        "add ways": "{name} is used in {ways}: what comes back from each is added up",
        "list": " and in ",
        "repeated": "one {name} serves several elements, and what comes back from them is added up",
        "in short": "from here on this is written {formula}",
        "held": "{name} is held constant: no gradient goes back through it",
        "shift": "{name} is held constant, which is right here: adding one number to all inputs does not change "
        "the end result",
        "because": "{reason}, because {condition}",
        "in the data": "{condition} in the recorded data",
        "lemma": "the derivative of {name}, a lemma proved below, with {arriving} put in",
        "lemma of the loss": "the derivative of {name}, a lemma proved below",
        "lemmas": "Lemmas: the derivatives cited above",
        "entries": "entry by entry: ∂{p}ᵢ/∂{z}ⱼ = {p}ᵢ (δᵢⱼ − {p}ⱼ), where δᵢⱼ is 1 for i = j and else 0",
        "proof": "the derivative of {name}; for the proof, print(d.lemmas[{i}].proof)",
        "extent": "({shape} numbers from {low} to {high})",
        "weighted_sum": "a weighted sum",
        "cross_entropy": "cross-entropy",
        "binary_cross_entropy_with_logits": "binary cross-entropy",
        "logsumexp": "log-sum-exp",
        "log_softmax": "log softmax",
        "mse_loss": "the mean squared error",
        "proof asked": "To prove it, {arriving}, the gradient that arrives at {node}, is held fixed: the gradient of "
        "{output} = {product} by {wrt} is what goes on to {wrt}, whatever comes after {node}.",
        "separator": "; ",
        "with error": "{reason} (Δ\u00a0{error})",
        "drawing before": "The gradient as the chain rule gives it",
        "drawing after": "The same gradient, simplified",
        "short cross_entropy": (
            "The logarithm undoes the exponential: −Σ y log y′ = log Σ exp(z) − Σ y z. The derivative of the "
            "first term is softmax itself, y′, and that of the sum Σ y z is y."
        ),
        "short mse": (
            "Here no logarithm undoes the exponential: the derivative of softmax stays as a factor beside the "
            "error y′ − y, and is near 0 wherever y′ is near 0 or 1."
        ),
        "short stable_cross_entropy": (
            "Subtracting the largest logit before exp changes no result and keeps exp from overflowing; then the "
            "logarithm undoes the exponential, as in the book."
        ),
        "short batch": "The loss is a mean over N samples, so each sample receives its own y′ − y, divided by N.",
        "short linear": (
            "The error of each sample at the logits is y′ − y; the matrix product hands it back to each weight, "
            "times the input that the weight was multiplied by, and the mean over the samples is taken: "
            "Xᵀ (y′ − y) / N."
        ),
        "short label_smoothing": (
            "Smoothing changes the target only. Its entries still sum to 1, and that is all that the proof needs."
        ),
        "short temperature": "The logits are divided by T, and by the chain rule so is the gradient: (y′ − y) / T.",
        "short logsumexp": (
            "log Σ exp(z) is a smooth maximum of the logits. Its derivative by each logit is the share of that "
            "logit's exponential in the sum: softmax."
        ),
        "short binary_cross_entropy": (
            "Each yes-or-no question is a cross-entropy of two classes, so the logarithm undoes the exponential "
            "in the sigmoid, and σ(z) − y is left."
        ),
        "short two_classes": (
            "Softmax of two classes is the sigmoid of the difference of their logits; so this is binary "
            "cross-entropy, and its gradient is σ(d) minus the target of the second class."
        ),
        "short sigmoid_mse": (
            "No logarithm undoes the sigmoid: its derivative σ (1 − σ) stays as a factor beside the error σ − y, "
            "and is near 0 where σ is near 0 or 1."
        ),
        "short linear_regression": (
            "The matrix product hands the errors X w − t back to each weight, times the inputs that it was "
            "multiplied by; the square gives the 2, and the mean the 1 / N."
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
            "The error y′ − y goes back through W₂ and the derivative of tanh, 1 − h², to the hidden layer, which "
            "receives δ; from there on it is the linear case, Xᵀ δ / N."
        ),
        "short hessian_vector": (
            "L is the gradient y′ − y times a fixed direction v, so its own gradient is the Hessian times v: "
            "how fast the gradient changes as z moves along v. That is the derivative of softmax: y′ times how "
            "far v is from its mean, weighted by y′."
        ),
        "from parts": "{loss} of softmax, from its parts:  loss = {formula},  y′ = exp(z) / Σ exp(z)",
        "difference": "largest difference: {error}",
        "lengths": "The factor y′ makes the gradient small wherever y′ is close to 0 or 1, right or wrong:\n"
        "its length is {squared} here, that of cross-entropy's y′ − y is {entropy}. Try --logits 10 0 0.",
        "drawings": "Drawings in {folder}",
        "drawn folded": "the composites as boxes",
        "drawn unfolded": "their parts in frames",
        "drawn gradients": "with gradients beside the values",
        "drawn gradient_graph": "the computation of the gradient itself, as recorded",
        "page": "The derivation as a page: {path}",
        "stage": "How {output} is computed, and how the gradient comes back to {wrt}",
        "whole": "the whole graph",
        "operations": "{n} operations",
        "shown of them": ", {n} of them shown",
        "left out": "… {n} operations",
        "player steps": "Steps of the derivation",
        "player step": "Step {i} of {n}",
        "player slider": "Step",
        "player back": "One step back",
        "player next": "One step on",
        "player play": "Play",
        "player pause": "Pause",
        "player all": "All steps",
        "player way": "The way",
        "player language": "中文",
        "player zoom": "Size of the drawing",
        "player smaller": "Smaller",
        "player fit": "Fit the whole drawing",
        "player larger": "Larger",
        "another way": "Another way: {way}",
        "touch": "Try other values",
        "touch back": "As it was",
        "touch wrong": "Sure, and wrong",
        "touch entropy": "cross-entropy",
        "touch square": "squared error",
        "touch prediction": "prediction",
        "touch loss": "loss",
        "touch length": "length of ∂L/∂z",
        "touch class": "class in",
        "touch target": "target",
        "touch surface": "Error surface",
        "touch surface how": "Each band is a step of equal height; dark is low. The white line is gradient descent "
        "from where the sliders are (red dot). Click to start elsewhere. Point to see the gradient: the arrow goes "
        "against it and is as long as it is, on the same scale in both maps.",
        "touch across": "Across",
        "touch up": "Up",
        "touch rate": "Learning rate",
        "touch arrived": "{n} steps until it is right to 0.1",
        "touch never": "not right after {n} steps",
        "touch here": "({at}): loss {loss}, gradient {length} long",
        "by loss": "rewrite the loss",
        "by lemmas": "cite lemmas",
        "by backward": "as backward goes",
    },
    "zh": {
        "why": "为什么 {result}",
        "alarm": "此推导不可信：代入所记录的数据，有公式与反向传播的结果相差 {error}，超出了舍入误差。"
        "问题出在哪一步，可看各步的 Δ。",
        "meaning": "其中",
        "and": "且",
        "chain rule": "链式法则：从 {output} 反向推到 {wrt}",
        "computed": "{output} 由以下各步依次算出；链式法则从最后一步开始，逐步推回第一步。",
        "short for": "∂{name} 是 ∂{output}/∂{name} 的简写；Δ 是公式的值与反向传播所得结果之差。",
        "long way": "下面是逐个运算的完整推导：",
        "rewriting": "改写损失函数",
        "algebra": "代数化简：同一个梯度，更简单的写法",
        "result": "结果",
        "more steps": "另有 {n} 步（全部见 .steps）",
        "long formula": "（由 {n} 个部分组成的公式）",
        "length": "{capital} = {length}，即 {name} 第 {axis} 轴的长度",
        "sign ⊙": "⊙ 表示逐元素相乘",
        "sign Σ": "Σ 表示对其后的所有元素求和",
        "sign index": "下标 {letter} 沿 {name} 的第 {axis} 轴取值，从 1 到 {capital} = {length}",
        "sign at": "名称后的 […] 按位置取元素，位置从 0 数起；1:3 表示位置 1 和 2，单独的冒号表示整个轴",
        "sign put": "put[…](x) 表示把 x 放在这些位置，其余位置为 0",
        "sign σ": "σ(x) = 1 / (1 + exp(−x))，即 sigmoid 函数",
        "sign Φ": "Φ(x) 是标准正态分布中小于 x 的概率，它的导数是 φ(x)",
        "sign φ": "φ(x) = exp(−x² / 2) / √(2 π)，即标准正态分布的概率密度",
        "sign mask": "[…] 在条件成立处为 1，在其余处为 0",
        "sign stop": "stop(…) 视为常数，梯度不经过它传回",
        "unnamed": "{letter} 是未命名的数据：{value}",
        "renamed": "{name} 是另一个也名为 {given} 的张量",
        "loose": "{letter} 视为常数，它的来源已不在计算图中：{value}",
        "assumed": "所用的假设（已在数据上检验）：{fact}。",
        "checked": "检验：把所记录的数据代入每一步的公式，与反向传播的结果比较，最大相差 {error}。",
        "stalls": "结果中留有因子 {factor}：当 {factor} 接近 0 时，无论输出错得多离谱，梯度都接近 0，学习陷入停滞。",
        "asked": "问题：当 {wrt} 的某个元素略微增大时，{output} 增大得有多快？∂{output}/∂{wrt} 对每个元素给出答案；"
        "梯度下降则沿相反的方向走一步。",
        "asked of a gradient": "{output} 本身由梯度构成，所以这里求的是导数的导数。"
        "所有二阶导数排成黑塞矩阵（Hessian），{wrt} 的每个元素各对应一行和一列；"
        "{v} 是一个方向，所求结果是黑塞矩阵与 {v} 之积："
        "它表示 {wrt} 沿 {v} 移动时梯度如何变化。",
        "way loss": "方法：先改写损失函数，再求导。",
        "not rewritten": "改写这个损失函数并不能使各项更简单，所以直接求导。",
        "another slope": "改写之后，这个损失在折点处的导数会不同，所以直接求导。",
        "way lemmas": "方法：用链式法则，整个函数的导数作为引理直接引用。",
        "way backward": "方法：用链式法则，像反向传播那样，一个运算一个运算地往回推。",
        "undone": "为什么先改写：损失中的对数抵消了输出中的指数，剩下的各项都很容易求导。",
        "simple": "结果为何如此简洁：{reason}",
        "cancels": "约去的因子：{reason}",
        "cancelled": "对数的导数带来因子 1 / {factor}，{maker} 的导数带来因子 {factor}，二者恰好约去。",
        "stalls at both ends": "当 {factor} 接近 1 时，旁边括号里的值接近 0：梯度在两端都会消失。",
        "stalls at 0 and 1": "同时还留有因子 1 − {factor}，当 {factor} 接近 1 时它接近 0：梯度在两端都会消失。",
        "pushes": "怎样理解：{output} − {target} 是误差。{output} 偏大的地方，梯度下降使 {wrt} 减小；"
        "偏小的地方，使 {wrt} 增大；恰好正确的地方，{wrt} 不变。",
        "handed back": "怎样理解：{output} − {target} 是误差，式中其余部分把误差传回 {wrt}；"
        "误差为 0 的地方，没有梯度传回。",
        "arrives": "怎样理解：误差 {output} − {target} 经过中间的各层传回来，{letter} 就是这一层收到的部分。",
        "shut": "{slope} 接近 0 的地方，几乎没有梯度传回。",
        "weighed": "怎样理解：{error} 是误差，{weight} 是它的权重；权重接近 0 的地方，几乎没有梯度传回。",
        "weighed by the rest": "怎样理解：{error} 是误差，式中其余部分是它的权重。",
        "errors sum to 0": "{output} 与 {target} 对各类求和都等于 1，所以各类的误差之和为 0："
        "一类所得，正是其余各类所失。",
        "via": "经",
        "by way": "“∂{name} 经 {via}”指 ∂{name} 中经由 {via} 传回的部分。",
        "added up": "相加",
        "add ways": "{name} 参与了 {ways} 的计算：各条路径传回的梯度相加",
        "list": "、",
        "repeated": "同一个 {name} 参与多个元素的计算，各处传回的梯度相加",
        "in short": "以下简记为 {formula}",
        "held": "{name} 视为常数，梯度不经过它传回",
        "shift": "{name} 可视为常数，因为所有输入同时加上同一个数，最终结果不变",
        "because": "{reason}，因为 {condition}",
        "in the data": "{condition}（由所记录的数据可知）",
        "lemma": "引理（证明见后）：{name}的导数，代入 {arriving}",
        "lemma of the loss": "引理（证明见后）：{name}的导数",
        "lemmas": "引理：上文引用的导数",
        "entries": "写成分量形式：∂{p}ᵢ/∂{z}ⱼ = {p}ᵢ (δᵢⱼ − {p}ⱼ)，其中 δᵢⱼ 在 i = j 时为 1，否则为 0",
        "proof": "{name}的导数；查看证明：print(d.lemmas[{i}].proof)",
        "extent": "（{shape} 个数，从 {low} 到 {high}）",
        "weighted_sum": "加权和",
        "cross_entropy": "交叉熵",
        "binary_cross_entropy_with_logits": "二元交叉熵",
        "logsumexp": "log-sum-exp ",
        "log_softmax": "log softmax ",
        "mse_loss": "均方误差",
        "proof asked": "证明：把传到 {node} 的梯度 {arriving} 视为常数，则 {output} = {product} 对 {wrt} 的梯度"
        "就是传给 {wrt} 的梯度，与 {node} 之后的运算无关。",
        "separator": "；",
        "with error": "{reason}（Δ\u00a0{error}）",
        "drawing before": "链式法则给出的梯度",
        "drawing after": "化简之后的同一个梯度",
        "short cross_entropy": (
            "对数抵消了指数：−Σ y log y′ = log Σ exp(z) − Σ y z。第一项的导数恰好是 softmax，即 y′；"
            "被减去的 Σ y z 的导数是 y。"
        ),
        "short mse": (
            "这里没有对数来抵消指数：softmax 的导数作为因子留在误差 y′ − y 旁边，当 y′ 接近 0 或 1 时，它接近 0。"
        ),
        "short stable_cross_entropy": (
            "先减去最大的对数几率，结果不变，而指数不再溢出；接下来对数抵消指数，与教科书上相同。"
        ),
        "short batch": "损失是 N 个样本的平均值，所以每个样本得到的梯度是自己的 y′ − y 除以 N。",
        "short linear": (
            "每个样本在对数几率处的误差是 y′ − y；矩阵乘法把误差乘以对应的输入，传回每个权重，再对样本取平均："
            "Xᵀ (y′ − y) / N。"
        ),
        "short label_smoothing": "标签平滑只改变目标；目标的各分量之和仍为 1，而证明只用到这一点。",
        "short temperature": "对数几率除以 T，由链式法则，梯度也要除以 T：y′ − y 除以 T。",
        "short logsumexp": (
            "log Σ exp(z) 是最大值的光滑近似。"
            "它对每个对数几率的导数，等于相应的指数在总和中所占的比例，也就是 softmax。"
        ),
        "short binary_cross_entropy": (
            "每个“是或否”的问题都对应一个两类的交叉熵：对数抵消了 sigmoid 中的指数，只剩下 σ(z) − y。"
        ),
        "short two_classes": (
            "两类的 softmax 就是两个对数几率之差的 sigmoid；所以这就是二元交叉熵，梯度是 σ(d) 减去第二类的目标值。"
        ),
        "short sigmoid_mse": (
            "没有对数来抵消 sigmoid 中的指数：sigmoid 的导数 σ (1 − σ) 作为因子留在误差 σ − y 旁边，"
            "当 σ 接近 0 或 1 时，它接近 0。"
        ),
        "short linear_regression": (
            "矩阵乘法把误差 X w − t 乘以对应的输入，传回每个权重；平方带来系数 2，平均带来 1 / N。"
        ),
        "short ridge": "误差的作用与线性回归相同；惩罚项把每个权重拉向 0，力度与权重的大小成正比。",
        "short lasso": "误差的作用与线性回归相同；惩罚项把每个权重拉向 0，无论权重大小，力度都一样。",
        "short network": (
            "误差 y′ − y 经 W₂ 和 tanh 的导数 1 − h² 传回隐藏层，隐藏层得到 δ；此后与线性情形相同：Xᵀ δ / N。"
        ),
        "short hessian_vector": (
            "L 是梯度 y′ − y 与固定方向 v 的内积，所以它的梯度是黑塞矩阵与 v 之积，即 z 沿 v 移动时梯度的变化率。"
            "这正是 softmax 的导数：y′ 乘以“v 减去它以 y′ 为权的加权平均”。"
        ),
        "from parts": "用基本运算写出的 softmax 与 {loss}：loss = {formula}，y′ = exp(z) / Σ exp(z)",
        "difference": "最大相差：{error}",
        "lengths": "因子 y′ 使梯度在 y′ 接近 0 或 1 时很小，无论预测是对是错：\n"
        "这里梯度的长度是 {squared}，而交叉熵的梯度 y′ − y 的长度是 {entropy}。试试 --logits 10 0 0。",
        "drawings": "图保存在 {folder}",
        "drawn folded": "复合函数画成方框",
        "drawn unfolded": "复合函数展开，各部分画在框内",
        "drawn gradients": "数值旁边写出梯度",
        "drawn gradient_graph": "梯度本身的计算过程（按实际记录）",
        "page": "推导的网页版：{path}",
        "stage": "{output} 如何算出，梯度又如何传回 {wrt}",
        "whole": "整个图",
        "operations": "{n} 个运算",
        "shown of them": "，图中是其中 {n} 个",
        "left out": "…… {n} 个运算",
        "player steps": "推导的步骤",
        "player step": "第 {i} 步，共 {n} 步",
        "player slider": "步骤",
        "player back": "上一步",
        "player next": "下一步",
        "player play": "播放",
        "player pause": "暂停",
        "player all": "全部步骤",
        "player way": "推导方法",
        "player language": "English",
        "player zoom": "图的大小",
        "player smaller": "缩小",
        "player fit": "显示全图",
        "player larger": "放大",
        "another way": "另一种方法：{way}",
        "touch": "试试其他数值",
        "touch back": "恢复原值",
        "touch wrong": "自信地预测错误",
        "touch entropy": "交叉熵",
        "touch square": "平方误差",
        "touch prediction": "预测",
        "touch loss": "损失",
        "touch length": "∂L/∂z 的长度",
        "touch class": "类别",
        "touch target": "目标",
        "touch surface": "误差曲面",
        "touch surface how": "每条色带是一级相等的高度，越暗越低。"
        "白线是从滑块所在处（红点）出发的梯度下降路径。点击可换起点；"
        "指向某处可看梯度：箭头与梯度方向相反，长度与梯度成正比，两图比例相同。",
        "touch across": "横轴",
        "touch up": "纵轴",
        "touch rate": "学习率",
        "touch arrived": "{n} 步之后误差小于 0.1",
        "touch never": "{n} 步之后仍未到达",
        "touch here": "({at})：损失 {loss}，梯度长度 {length}",
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

"""Mistakes that learners make: what was typed, and the words that what is said must have.

`docs/mistakes.md` is written from this table: `python tests/mistakes.py` writes it anew.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import textwrap
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tinygrad_cls as tg

DOCUMENT = Path(__file__).parents[1] / "docs" / "mistakes.md"
WARNS = tg.LearningWarning


class Mistake(NamedTuple):
    """One mistake. `kind` is what is raised or warned of; None where nothing is said, and `prints` stands there."""

    title: str
    code: str
    kind: type[BaseException] | None
    words: tuple[str, ...]


class Section(NamedTuple):
    title: str
    about: str
    mistakes: list[Mistake]


def m(title: str, code: str, kind: type[BaseException] | None, *words: str) -> Mistake:
    return Mistake(title, textwrap.dedent(code).strip(), kind, words)


SETUP = """
import numpy as np
import tinygrad_cls as tg

rng = np.random.default_rng(0)
x = tg.Tensor(rng.normal(size=(4, 3)), name="x")
y = np.array([0, 1, 1, 0])
w = tg.Tensor(np.zeros((3, 2)), requires_grad=True, name="w")
model = tg.nn.Linear(3, 2, generator=rng)
optimiser = tg.optim.SGD(model.parameters(), lr=0.1)
""".strip()

SECTIONS = [
    Section(
        "Training that does not learn",
        "Numbers come out, and they are the wrong ones. These are found in `backward`, in losses, or in an optimiser's "
        "step.",
        [
            m(
                "A parameter changed in place while gradients are recorded",
                """
        tg.cross_entropy(x @ w, y).backward()
        w -= 0.1 * w.grad
        """,
                RuntimeError,
                "with tg.no_grad(): w -= …",
            ),
            m(
                "Gradients never set back: each step uses all gradients so far",
                """
        for _ in range(2):
            tg.cross_entropy(model(x), y).backward()
            optimiser.step()
        """,
                WARNS,
                "zero_grad() before each backward()",
            ),
            m(
                "Gradients set back between `backward` and `step`",
                """
        tg.cross_entropy(model(x), y).backward()
        optimiser.zero_grad()
        optimiser.step()
        """,
                WARNS,
                "none of its parameters has a gradient",
            ),
            m(
                "`step` without `backward`",
                """
        loss = tg.cross_entropy(model(x), y)
        optimiser.step()
        """,
                WARNS,
                "backward() before it",
            ),
            m(
                "An optimiser over a model that was made anew since",
                """
        model = tg.nn.Linear(3, 2)
        tg.cross_entropy(model(x), y).backward()
        optimiser.step()
        """,
                WARNS,
                "computed from other tensors",
            ),
            m(
                "`fit` with an optimiser over another model",
                """
        model = tg.nn.Linear(3, 2)
        batches = tg.data.batches(x.numpy(), y, batch_size=2)
        tg.fit(model, batches, optimiser=optimiser, epochs=1)
        """,
                ValueError,
                "other parameters than the model's",
            ),
            m(
                "`backward` a second time through one graph",
                """
        loss = tg.cross_entropy(x @ w, y)
        loss.backward()
        loss.backward()
        """,
                WARNS,
                "a second time",
                "retain_graph=True",
            ),
            m(
                "The loss computed once, before the loop",
                """
        loss = tg.cross_entropy(model(x), y)
        for _ in range(2):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        """,
                RuntimeError,
                "assigned new values after",
                "Compute the forward pass again",
            ),
            m(
                "A schedule that counts epochs, stepped for each batch",
                """
        schedules = tg.optim.schedules
        schedule = schedules.Schedule(optimiser, schedules.cosine(2))
        for _ in range(4):
            schedule.step()
        """,
                WARNS,
                "the learning rate stays 0",
            ),
            m(
                "A learning rate set by hand while a schedule drives it",
                """
        schedules = tg.optim.schedules
        schedule = schedules.Schedule(optimiser, schedules.cosine(9))
        optimiser.groups[0]["lr"] = 0.01
        schedule.step()
        """,
                WARNS,
                "a schedule drives it",
            ),
            m(
                "Two schedules for one optimiser",
                """
        schedules = tg.optim.schedules
        first = schedules.Schedule(optimiser, schedules.warm_up(3))
        second = schedules.Schedule(optimiser, schedules.cosine(9))
        first.step()
        second.step()
        """,
                WARNS,
                "one schedule for an optimiser",
            ),
            m(
                "`fit` with a schedule of another optimiser",
                """
        schedules = tg.optim.schedules
        other = tg.optim.SGD(model.parameters(), lr=0.1)
        tg.fit(
            model,
            tg.data.batches(x.numpy(), y, batch_size=2),
            optimiser=optimiser,
            schedule=schedules.Schedule(other, schedules.cosine(9)),
            epochs=1,
        )
        """,
                ValueError,
                "drives another optimiser",
            ),
            m(
                "An option set as an attribute of the optimiser",
                """
        optimiser.lr = 0.01
        """,
                AttributeError,
                "optimiser.groups[0]['lr'] = …",
            ),
            m(
                "A misspelt option in a group",
                """
        optimiser.groups[0]["learning_rate"] = 0.01
        optimiser.step()
        """,
                TypeError,
                "has no option learning_rate",
            ),
            m(
                "Gradients clipped after `step`",
                """
        tg.cross_entropy(model(x), y).backward()
        optimiser.step()
        tg.optim.clip_grad_norm(model.parameters(), 1.0)
        """,
                WARNS,
                "between backward() and step()",
            ),
            m(
                "Gradients clipped by parameters that were used up",
                """
        parameters = model.parameters()
        optimiser = tg.optim.SGD(parameters, lr=0.1)
        tg.optim.clip_grad_norm(parameters, 1.0)
        """,
                ValueError,
                "used up only once",
            ),
            m(
                "A parameter replaced by what was computed, where it should change in place",
                """
        tg.cross_entropy(x @ w, y).backward()
        w = w - 0.1 * w.grad
        tg.cross_entropy(x @ w, y).backward()
        print(w.grad)
        """,
                WARNS,
                "w = w - … makes a computed tensor",
            ),
            m(
                "Layers in a set",
                """
        model.layers = {tg.nn.Linear(3, 2), tg.nn.Linear(3, 2)}
        list(model.parameters())
        """,
                ValueError,
                "make it a list",
            ),
            m(
                "Arrays given to `fit` without batches",
                """
        tg.fit(model, (x.numpy(), y), optimiser=optimiser, epochs=1)
        """,
                TypeError,
                "tg.data.batches(inputs, labels",
            ),
            m(
                "A learning rate that is much too high",
                """
        optimiser = tg.optim.SGD([w], lr=1e6)
        for _ in range(2):
            optimiser.zero_grad()
            loss = tg.cross_entropy(x @ w, y)
            loss.backward()
            optimiser.step()
        """,
                WARNS,
                "the loss has grown",
                "learning rate is too high",
            ),
            m(
                "Training under `no_grad`",
                """
        with tg.no_grad():
            loss = tg.cross_entropy(model(x), y)
            loss.backward()
        """,
                RuntimeError,
                "nothing to do",
                "inside no_grad",
            ),
            m(
                "`fit` under `no_grad`",
                """
        batches = tg.data.batches(x.numpy(), y, batch_size=2)
        with tg.no_grad():
            tg.fit(model, batches, optimiser=optimiser, epochs=1)
        """,
                RuntimeError,
                "under no_grad",
            ),
            m(
                "A parameter that does not require a gradient, given to an optimiser",
                """
        w = tg.Tensor(np.zeros((3, 2)), name="w")
        tg.optim.SGD([w], lr=0.1)
        """,
                ValueError,
                "requires no gradient",
                "requires_grad=True",
            ),
            m(
                "An optimiser over what was computed",
                """
        tg.optim.SGD([w * 0.5], lr=0.1)
        """,
                ValueError,
                "was computed",
                "give it the tensors it came from",
            ),
            m(
                "A parameter made by arithmetic in a module",
                """
        model.scale = model.weight * 0.5
        list(model.parameters())
        """,
                ValueError,
                "scale of Linear was computed",
            ),
            m(
                "An optimiser made from parameters that were used up",
                """
        parameters = model.parameters()
        print(len(list(parameters)), "parameters")
        tg.optim.SGD(parameters, lr=0.1)
        """,
                ValueError,
                "used up only once",
            ),
        ],
    ),
    Section(
        "Losses",
        "The losses take logits, the outputs before softmax, and class numbers. What was done to the logits stands in "
        "their graph.",
        [
            m(
                "Softmax before `cross_entropy`",
                """
        tg.cross_entropy(tg.softmax(x @ w), y)
        """,
                WARNS,
                "has its own softmax",
            ),
            m(
                "A model that ends in `Softmax`, trained by `cross_entropy`",
                """
        model = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.Softmax())
        tg.cross_entropy(model(x), y)
        """,
                WARNS,
                "come from softmax",
            ),
            m(
                "Sigmoid before `binary_cross_entropy_with_logits`",
                """
        p = tg.sigmoid(x @ w[:, 0])
        tg.binary_cross_entropy_with_logits(p, y)
        """,
                WARNS,
                "has its own sigmoid",
            ),
            m(
                "Probabilities as logits, from elsewhere",
                """
        p = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
        tg.cross_entropy(p, y)
        """,
                WARNS,
                "sums to 1",
                "before softmax",
            ),
            m(
                "A softmax of your own before `cross_entropy`",
                """
        e = tg.exp(x @ w)
        tg.cross_entropy(e / e.sum(axis=1, keepdims=True), y)
        """,
                WARNS,
                "sums to 1",
                "before softmax",
            ),
            m(
                "Probabilities kept away from 0 before `cross_entropy`, which needs no such care",
                """
        tg.cross_entropy(tg.softmax(x @ w).clip(1e-7, 1.0), y)
        """,
                WARNS,
                "sums to 1",
            ),
            m(
                "Probabilities given to `nll_loss`",
                """
        tg.nll_loss(tg.softmax(x @ w), y)
        """,
                WARNS,
                "use tg.log_softmax instead",
            ),
            m(
                "Logits given to `nll_loss`",
                """
        tg.nll_loss(x @ w + 1.0, y)
        """,
                WARNS,
                "never above 0",
                "tg.cross_entropy",
            ),
            m(
                "`log_softmax` along the samples",
                """
        tg.nll_loss(tg.log_softmax(x @ w, axis=0), y)
        """,
                WARNS,
                "along axis 0",
                "axis=-1",
            ),
            m(
                "Softmax along the samples, compared with one-hot rows",
                """
        tg.mse_loss(tg.softmax(x @ w, axis=0), tg.one_hot(y, 2))
        """,
                WARNS,
                "along axis 0",
                "classes on the last axis",
            ),
            m(
                "A target whose columns are the probabilities",
                """
        target = tg.softmax(rng.normal(size=(4, 2)), axis=0)
        tg.cross_entropy(x @ w, target)
        """,
                WARNS,
                "columns of the target",
                "axis=-1",
            ),
            m(
                "One-hot rows of integers for class numbers",
                """
        tg.cross_entropy(x @ w, np.eye(2, dtype=int)[y])
        """,
                ValueError,
                "probabilities must be floats",
            ),
            m(
                "Class numbers as floats",
                """
        tg.cross_entropy(x @ w, y.astype(float))
        """,
                TypeError,
                "must be integers",
                ".astype(int)",
            ),
            m(
                "Classes counted from 1",
                """
        tg.cross_entropy(x @ w, y + 1)
        """,
                ValueError,
                "the label 2 at 1",
                "0 to 1",
            ),
            m(
                "The classes on the first axis",
                """
        tg.cross_entropy((x @ w).T, y)
        """,
                ValueError,
                "needs class numbers of shape (2,)",
            ),
            m(
                "A column compared with a row: (4, 1) and (4,)",
                """
        tg.mse_loss(x @ w[:, :1], y.astype(float))
        """,
                ValueError,
                "equal shapes",
            ),
            m(
                "Targets that hold nan",
                """
        tg.mse_loss(x[:, 0], [1.0, 2.0, np.nan, 4.0])
        """,
                ValueError,
                "the target holds nan, first at (2,)",
            ),
            m(
                "A column less a row: (4, 1) and (4,) in a loss of your own",
                """
        weight = tg.Tensor(np.zeros((3, 1)), requires_grad=True)
        tg.mean((x @ weight - y) ** 2).backward()
        """,
                WARNS,
                "all pairs",
                "[:, 0]",
            ),
            m(
                "Probabilities of one class as logits, from a sigmoid of your own",
                """
        p = 1 / (1 + tg.exp(-(x @ w[:, 0])))
        tg.binary_cross_entropy_with_logits(p, y)
        """,
                WARNS,
                "before sigmoid",
            ),
            m(
                "A model that ends in an activation",
                """
        tg.cross_entropy(tg.relu(x @ w), y)
        """,
                WARNS,
                "leave out the last activation",
            ),
            m(
                "A single column of logits for two classes",
                """
        tg.cross_entropy(x @ w[:, :1], np.zeros(4, int))
        """,
                WARNS,
                "one class, which is always certain",
                "binary_cross_entropy_with_logits",
            ),
            m(
                "Percentages for probabilities",
                """
        tg.cross_entropy(x @ w, np.array([[90.0, 10.0]] * 4))
        """,
                WARNS,
                "divide percentages by 100",
            ),
            m(
                "Logits of a teacher for probabilities",
                """
        tg.cross_entropy(x @ w, np.array([[3.0, -1.0]] * 4))
        """,
                WARNS,
                "softmax of logits",
            ),
            m(
                "Samples to be left out, as PyTorch marks them",
                """
        tg.cross_entropy(x @ w, np.array([0, 1, -100, 0]))
        """,
                ValueError,
                "ignore_index",
            ),
            m(
                "Weights that do not fit the logits",
                """
        tg.binary_cross_entropy_with_logits(x[:, 0], y, pos_weight=[1.0, 2.0])
        """,
                ValueError,
                "pos_weight must broadcast",
            ),
            m(
                "A model that is not called",
                """
        tg.cross_entropy(model, y)
        """,
                TypeError,
                "call it first",
            ),
            m(
                "A loss that gives a number and no tensor",
                """
        tg.evaluate(
            model,
            tg.data.batches(x.numpy(), y, batch_size=2),
            loss=lambda z, y: tg.cross_entropy(z, y).item(),
        )
        """,
                TypeError,
                "without .item()",
            ),
            m(
                "Targets outside of 0 to 1",
                """
        tg.binary_cross_entropy_with_logits(x[:, 0], [0, 1, 2, 1])
        """,
                ValueError,
                "from 0 to 1",
            ),
            m(
                "An unknown reduction",
                """
        tg.cross_entropy(x @ w, y, reduction="average")
        """,
                ValueError,
                '"mean", "sum" or "none"',
            ),
            m(
                "Weights that are not one for each class",
                """
        tg.cross_entropy(x @ w, y, weight=[1.0, 2.0, 3.0])
        """,
                ValueError,
                "one factor for each of 2 classes",
            ),
            m(
                "Integers as logits",
                """
        tg.cross_entropy(np.ones((4, 2), int), y)
        """,
                ValueError,
                "must be floats",
            ),
        ],
    ),
    Section(
        "Shapes",
        "Errors name the operands with their names and shapes, and end in the line of your code, also where that is "
        "far above the operation.",
        [
            m(
                "Rows and columns that do not fit",
                """
        x @ tg.Tensor(np.zeros((2, 3)), name="W")
        """,
                ValueError,
                "the first has 3 columns and the second 2 rows",
                "the second would fit: .mT",
            ),
            m(
                "A layer for inputs of another length",
                """
        images = rng.normal(size=(4, 5))
        tg.nn.Sequential(model, tg.nn.ReLU())(images)
        """,
                ValueError,
                "'layers.0.weight'",
                "5 columns",
                "3 rows",
            ),
            m(
                "A number in a matrix product",
                """
        x @ 2.0
        """,
                ValueError,
                "multiply by it with *",
            ),
            m(
                "Stacks of matrices of different numbers",
                """
        np.zeros((2, 3, 4)) @ tg.Tensor(np.zeros((3, 4, 5)))
        """,
                ValueError,
                "the axes before the last two, (2,) and (3,)",
            ),
            m(
                "Shapes that do not broadcast",
                """
        x + tg.Tensor([1.0, 2.0, 3.0, 4.0], name="b")
        """,
                ValueError,
                "'b' of shape (4,)",
                "matched from the last one back",
            ),
            m(
                "A shape of another number of elements",
                """
        x.reshape(5, 2)
        """,
                ValueError,
                "cannot reshape array of size 12",
            ),
            m(
                "An axis that is not there",
                """
        x.sum(axis=2)
        """,
                np.exceptions.AxisError,
                "axis 2 is out of bounds",
                "x.sum(axis=2)",
            ),
            m(
                "`transpose(0, 1)`, which exchanges two axes in PyTorch, orders all of them as in NumPy",
                """
        tg.Tensor(np.zeros((2, 3, 4))).transpose(0, 1)
        """,
                ValueError,
                "np.swapaxes",
            ),
            m(
                "Parts of different shapes in a stack",
                """
        tg.stack([np.zeros(2), np.zeros(3)])
        """,
                ValueError,
                "stack needs equal shapes",
            ),
            m(
                "Nested lists of different lengths",
                """
        tg.Tensor([[1.0, 2.0], [3.0]])
        """,
                ValueError,
                "inhomogeneous",
            ),
            m(
                "An index of floats",
                """
        x[np.array([0.0, 1.0])]
        """,
                IndexError,
                "must be integers",
            ),
        ],
    ),
    Section(
        "Words of PyTorch's",
        "Arrays follow NumPy, training follows PyTorch. A word that is not ours is answered with ours; where it would "
        "be the same thing (`x.exp()`, `x.numel()`, `tg.zeros(2, 3)`, `zero_grad(set_to_none=True)`, "
        "`p.grad.zero_()`), it is simply there.",
        [
            m("`view`", "x.view(3, 4)", AttributeError, ".reshape(…)"),
            m("`size()`", "x.size()", TypeError, ".shape"),
            m("`dim=`", "x.sum(dim=1)", TypeError, "dim= is axis= here"),
            m("`dim=` of a composed function", "tg.softmax(x, dim=1)", TypeError, "dim= is axis= here"),
            m("`unsqueeze`", "x.unsqueeze(0)", AttributeError, "tg.expand_dims"),
            m("`permute`", "x.permute(1, 0)", AttributeError, "tg.permute_dims"),
            m("`to` a device", 'x.to("cuda")', AttributeError, "nothing to do"),
            m("`cpu`", "x.cpu()", AttributeError, "nothing to do"),
            m("`float`", "x.float()", AttributeError, ".astype(np.float32)"),
            m("`clone`", "x.clone()", AttributeError, ".detach()"),
            m("`data`", "w.data -= 0.1", AttributeError, "with tg.no_grad(): w -= …"),
            m("`add_`", "w.add_(1.0)", AttributeError, "with tg.no_grad(): w -= …"),
            m("`clamp`", "x.clamp(0, 1)", AttributeError, ".clip(min, max)"),
            m("`cat`", "tg.cat([x, x])", AttributeError, "tg.concat"),
            m("`tensor`", "tg.tensor([1.0])", AttributeError, "tg.Tensor(data)"),
            m("`randn`", "tg.randn(2, 3)", AttributeError, "np.random.default_rng(0)"),
            m("`manual_seed`", "tg.manual_seed(0)", AttributeError, "generator=…"),
            m("`float32`", "tg.zeros(3, dtype=tg.float32)", AttributeError, "np.float32"),
            m("`CrossEntropyLoss`", "tg.nn.CrossEntropyLoss()", AttributeError, "tg.cross_entropy"),
            m("`MSELoss`", "tg.nn.MSELoss()", AttributeError, "tg.mse_loss"),
            m("`Parameter`", "tg.nn.Parameter(x)", AttributeError, "requires_grad=True"),
            m("`Conv2d`", "tg.nn.Conv2d(1, 8, 3)", AttributeError, "no counterpart"),
            m("`functional`", "tg.nn.functional.relu(x)", AttributeError, "tg.relu"),
            m("`DataLoader`", "tg.data.DataLoader([x, y])", AttributeError, "tg.data.batches"),
            m("`StepLR`", "tg.optim.schedules.StepLR(optimiser, 30)", AttributeError, "tg.optim.schedules.step"),
            m(
                "`xavier_uniform_`",
                "tg.nn.init.xavier_uniform_(w)",
                AttributeError,
                "w.assign(tg.nn.init.xavier_uniform(",
            ),
            m("`atan2`", "x.atan2(x)", AttributeError, "np.arctan2(x, …)"),
            m("`masked_fill_`", "x.masked_fill_(x > 0, 0.0)", AttributeError, "w.assign(values)"),
            m("`lr_scheduler`", "tg.optim.lr_scheduler", AttributeError, "tg.optim.schedules"),
            m("A model to a device", 'model.to("cuda")', AttributeError, "nothing to do"),
        ],
    ),
    Section(
        "Slips of the keyboard, and options",
        "",
        [
            m("A misspelt function", "tg.sofmax(x)", AttributeError, "did you mean softmax?"),
            m("A misspelt method", "x.reshpae(3, 4)", AttributeError, "did you mean .reshape?"),
            m("A misspelt layer", "tg.nn.Liner(3, 2)", AttributeError, "did you mean Linear?"),
            m("A misspelt method of a model", "model.paramters()", AttributeError, "did you mean .parameters?"),
            m("A misspelt method of an optimiser", "optimiser.zero_gard()", AttributeError, "did you mean .zero_grad?"),
            m("A misspelt attribute that is set", "w.requires_gard = False", AttributeError, "requires_grad"),
            m(
                "`learning_rate=`",
                "tg.optim.Adam(model.parameters(), learning_rate=0.1)",
                TypeError,
                "learning_rate= is lr= here",
            ),
            m(
                "`in_features=`",
                "tg.nn.Linear(in_features=3, out_features=2)",
                TypeError,
                "in_features= is inputs= here",
            ),
            m(
                "A misspelt option",
                "tg.optim.SGD([w], lr=0.1, momentun=0.9)",
                TypeError,
                "did you mean momentum?",
            ),
            m("A negative learning rate", "tg.optim.SGD([w], lr=-0.1)", ValueError, "0 or more"),
        ],
    ),
    Section(
        "Gradients",
        "",
        [
            m(
                "`backward` of several numbers",
                """
        (x @ w).backward()
        """,
                ValueError,
                "8 elements",
                ".sum() or .mean()",
            ),
            m(
                "`backward` where nothing requires a gradient",
                """
        x.sum().backward()
        """,
                RuntimeError,
                "requires_grad=True",
            ),
            m(
                "Integers that shall have a gradient",
                """
        tg.Tensor([1, 2, 3], requires_grad=True)
        """,
                TypeError,
                "only floating tensors",
                "dtype=float",
            ),
            m(
                "`grad` by an integer",
                """
        tg.grad(lambda x: x**2)(3)
        """,
                TypeError,
                "2.0 for 2",
            ),
            m(
                "`grad` of a function of several results",
                """
        tg.grad(lambda w: x @ w)(w)
        """,
                ValueError,
                "one element",
                ".sum()",
            ),
            m(
                "`grad` of a function that gives a number",
                """
        tg.grad(lambda w: (x @ w).sum().item())(w)
        """,
                TypeError,
                "not a Tensor",
            ),
            m(
                "A tensor changed at an index",
                """
        w[0] = 1.0
        """,
                TypeError,
                "tg.where",
                "assign()",
            ),
            m(
                "`requires_grad` set on a result",
                """
        z = x @ w
        z.requires_grad = False
        """,
                ValueError,
                "detach()",
            ),
            m(
                "A tensor that requires a gradient turned into an array",
                """
        np.asarray(w)
        """,
                TypeError,
                ".numpy()",
            ),
            m(
                "A list of tensors made a Tensor, which would lose their history",
                """
        tg.Tensor([w[0], w[1]])
        """,
                TypeError,
                "tg.stack",
            ),
            m(
                "A function of NumPy's that we do not know",
                """
        np.fft.fft(x)
        """,
                TypeError,
                "np.fft.fft is not known",
            ),
            m(
                "`if` on several numbers",
                """
        if x > 0:
            pass
        """,
                ValueError,
                "ambiguous",
                ".any()",
            ),
            m(
                "The gradient of what was computed",
                """
        hidden = x @ w
        tg.sum(hidden * hidden).backward()
        print(hidden.grad)
        """,
                WARNS,
                "backward leaves gradients at leaves",
            ),
            m(
                "`item` of several numbers",
                """
        x.item()
        """,
                ValueError,
                "12",
            ),
        ],
    ),
    Section(
        "Where a nan comes from",
        "`tg.debug.anomaly()` finds the first; `tg.debug.gradcheck` looks at a derivative.",
        [
            m(
                "The logarithm of a probability that has become 0",
                """
        z = tg.Tensor([[1.0, -800.0]], requires_grad=True, name="z")
        with tg.debug.anomaly():
            p = tg.exp(z) / tg.exp(z).sum()
            loss = -tg.log(p)[0, 1]
        """,
                tg.debug.AnomalyError,
                "log gives -inf",
                "✗ log",
            ),
            m(
                "A slope that is infinite where the value is not",
                """
        a = tg.Tensor([0.0, 4.0], requires_grad=True, name="a")
        with tg.debug.anomaly():
            tg.sqrt(a).sum().backward()
        """,
                tg.debug.AnomalyError,
                "going back, sqrt gives operand 0",
            ),
            m(
                "A derivative that misses a part",
                """
        tg.debug.gradcheck(lambda x: x * x.detach(), np.array([3.0]))
        """,
                tg.debug.GradcheckError,
                "1 of 1 derivatives differ",
            ),
        ],
    ),
    Section(
        "Compiled functions",
        "",
        [
            m(
                "A value read inside of a compiled function",
                """
        @tg.compile
        def f(x):
            return x * 2.0 if x.sum().item() > 0 else x


        f(x)
        """,
                tg.CompileError,
                "tg.where",
            ),
            m(
                "A counter inside of a compiled function",
                """
        steps = iter(range(9))


        @tg.compile
        def f(x):
            return x * float(next(steps))


        for _ in range(3):
            f(x)
        """,
                tg.CompileError,
                "something else in every call",
            ),
        ],
    ),
    Section(
        "What nothing warns of",
        "These are as legitimate as they are mistaken, so no program can tell. What comes out is printed below each.",
        [
            m(
                "A number taken out of the graph and put back in: its part of the gradient is missing. Write "
                "`tg.exp(a)`, and `a` itself",
                """
        import math

        a = tg.Tensor(2.0, requires_grad=True)
        (a * math.exp(a)).backward()
        print(f"{a.grad.item():.2f}, and not {math.exp(2) * 3:.2f}")
        a.grad = None
        (a * float(a)).backward()
        print(f"{a.grad.item():.2f}, and not {2 * 2.0:.2f}")
        """,
                None,
                "7.39, and not 22.17",
                "2.00, and not 4.00",
            ),
            m(
                "`detach` in the middle: what is before it does not learn",
                """
        hidden = (x @ w).detach()
        v = tg.Tensor(np.ones(2), requires_grad=True)
        (hidden @ v).sum().backward()
        print(w.grad)
        """,
                None,
                "None",
            ),
            m(
                "Classes counted from 1, and a model with one class more: the first is never right",
                """
        logits = x @ np.zeros((3, 3))
        print(tg.cross_entropy(logits, y + 1).item() > 0)
        """,
                None,
                "True",
            ),
            m(
                "A method that is not called: nothing happens",
                """
        tg.cross_entropy(model(x), y).backward()
        before = model.weight.numpy()
        optimiser.step
        print(np.array_equal(model.weight.numpy(), before))
        """,
                None,
                "True",
            ),
            m(
                "Hidden layers that begin at zero: no gradient comes through",
                """
        one = tg.Tensor(np.zeros((3, 4)), requires_grad=True)
        other = tg.Tensor(np.zeros((4, 2)), requires_grad=True)
        tg.cross_entropy(tg.relu(x @ one) @ other, y).backward()
        print(abs(one.grad).max().item())
        """,
                None,
                "0.0",
            ),
            m(
                "A loss that is maximised: the sign is as legitimate",
                """
        optimiser = tg.optim.SGD([w], lr=1.0)
        for _ in range(20):
            optimiser.zero_grad()
            loss = tg.cross_entropy(x @ w, y)
            (-loss).backward()
            optimiser.step()
        print(loss.item() > 1)
        """,
                None,
                "True",
            ),
            m(
                "Under `no_grad` `+=` changes a leaf in place, also under its other names",
                """
        a = b = tg.zeros(2)
        with tg.no_grad():
            b += 1.0
        print(a)
        """,
                None,
                "Tensor([1., 1.])",
            ),
            m(
                "A mean of means over batches of different lengths is not the mean; `tg.evaluate` weighs them",
                """
        losses = np.array([1.0, 1.0, 4.0])
        print(np.mean([losses[:2].mean(), losses[2:].mean()]), losses.mean())
        """,
                None,
                "2.5 2.0",
            ),
        ],
    ),
]


def said(mistake: Mistake) -> tuple[type[BaseException] | None, str]:
    """What is said when the mistake is typed: its kind, and the text."""
    file = "mistake.py"
    lines = [line + "\n" for line in mistake.code.splitlines()]
    linecache.cache[file] = (1, None, lines, file)
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(SETUP, scope)
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", tg.LearningWarning)
        try:
            exec(compile(mistake.code, file, "exec"), scope)
        except Exception as error:
            return type(error), str(error)
        finally:
            del linecache.cache[file]
    if warned:
        assert warned[0].filename == file
        return type(warned[0].message), f"{warned[0].message}\n  (line {warned[0].lineno})"  # type: ignore[return-value]
    return None, printed.getvalue()


def document() -> str:
    """The text of docs/mistakes.md."""
    parts = [
        "# Mistakes, and what is said about them",
        "<!-- written by tests/mistakes.py, from the table there; a test compares -->",
        "What was typed, and what the program says. Everything below runs in the tests. A `LearningWarning` is shown "
        'once for a line; `warnings.simplefilter("ignore", tg.LearningWarning)` silences all of them. Errors that pass '
        "through layers and losses show your lines and the last of ours; `TINYGRAD_CLS_FULL_TRACEBACKS=1` in the "
        "environment shows all.",
        "Each example begins with:",
        f"```python\n{SETUP}\n```",
    ]
    for section in SECTIONS:
        parts.append(f"## {section.title}")
        if section.about:
            parts.append(section.about)
        for mistake in section.mistakes:
            kind, text = said(mistake)
            name = "" if kind is None else f"{kind.__name__}: "
            shown = "\n".join(line.rstrip() for line in (name + text).rstrip().splitlines())
            parts.append(f"### {mistake.title}\n\n```python\n{mistake.code}\n```\n\n```text\n{shown}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    np.seterr(all="ignore")
    DOCUMENT.write_text(document(), encoding="utf-8")

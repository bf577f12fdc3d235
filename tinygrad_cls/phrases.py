"""A phrase book: what PyTorch calls it, and what it is called here. Errors about unknown names answer from it.

`Tensor` gets a describing attribute for each word of the book, which raises; a `__getattr__` would make every attribute
of a Tensor five times as slow. Modules and functions ask the book when they have failed.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from .engine import functional, operations
from .engine.array import NamedArray
from .engine.tensor import Tensor

_HERE = "nothing to do: everything is computed on this machine's processor"
_COPY = ".detach() for constant values (what is recorded never changes, so there is nothing to copy)"
_IN_PLACE = "the operator under no_grad, `with tg.no_grad(): w -= …`, or w.assign(values)"
_CAST = ".astype({})"
_NO_CONVOLUTIONS = "no counterpart: convolutions, recurrent and attention layers are not what this package is for"
_RANDOM = "tg.Tensor(generator.{}(size=…)), with generator = np.random.default_rng(0)"

TENSOR = {
    "view": ".reshape(…)",
    "view_as": ".reshape(other.shape)",
    "reshape_as": ".reshape(other.shape)",
    "unsqueeze": "tg.expand_dims(x, axis=…), or x[:, None]",
    "expand": "tg.broadcast_to(x, shape); most operations broadcast by themselves",
    "expand_as": "tg.broadcast_to(x, other.shape); most operations broadcast by themselves",
    "permute": ".transpose(…) with all axes in their new order, or tg.permute_dims",
    "swapdims": "np.swapaxes(x, 0, 1)",
    "swapaxes": "np.swapaxes(x, 0, 1)",
    "movedim": "tg.moveaxis(x, source, destination)",
    "t": ".T",
    "repeat": "tg.concat([x] * n)",
    "tile": "tg.concat([x] * n)",
    "contiguous": "nothing: every Tensor can be reshaped as it is",
    "is_contiguous": "nothing: every Tensor can be reshaped as it is",
    "ndimension": ".ndim",
    "nelement": ".size",
    "clone": _COPY,
    "copy": _COPY,
    "data": ".detach() to read the values; to change them, `with tg.no_grad(): w -= …` or w.assign(values)",
    "detach_": "x = x.detach()",
    "to": f".astype(dtype) for another dtype; for a device {_HERE}",
    "cpu": _HERE,
    "cuda": _HERE,
    "device": _HERE,
    "is_cuda": _HERE,
    "get_device": _HERE,
    "pin_memory": _HERE,
    "float": _CAST.format("np.float32"),
    "double": _CAST.format("np.float64"),
    "half": _CAST.format("np.float16"),
    "long": _CAST.format("np.int64"),
    "int": _CAST.format("np.int32"),
    "bool": _CAST.format("bool"),
    "type": ".dtype to read it, .astype(dtype) to change it",
    "type_as": ".astype(other.dtype)",
    "clamp": ".clip(min, max)",
    "clamp_min": ".clip(min)",
    "clamp_max": ".clip(None, max)",
    "mm": "a @ b",
    "bmm": "a @ b, whose leading axes broadcast",
    "mv": "a @ b",
    "addmm": "c + a @ b",
    "outer": "np.outer(a, b)",
    "inner": "tg.vecdot(a, b)",
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / b",
    "pow": "a ** b",
    "neg": "-a",
    "reciprocal": "1 / a",
    "rsqrt": "1 / x.sqrt()",
    "eq": "a == b",
    "ne": "a != b",
    "lt": "a < b",
    "le": "a <= b",
    "gt": "a > b",
    "ge": "a >= b",
    "norm": "(x * x).sum().sqrt()",
    "cumsum": "tg.cumulative_sum(x, axis=…)",
    "amax": ".max(axis=…)",
    "amin": ".min(axis=…)",
    "gather": "tg.take_along_axis(x, indices, axis=…)",
    "index_select": ".take(indices, axis=…)",
    "select": "x[:, 0], an index",
    "narrow": "x[:, start:stop], a slice",
    "masked_fill": "tg.where(mask, value, x)",
    "masked_select": "x[mask]",
    "scatter": "tg.one_hot for class numbers; other values are put in place by tg.where",
    "chunk": "slices, x[:n] and x[n:]",
    "split": "slices, x[:n] and x[n:]",
    "unbind": "list(x), or a loop over it",
    "topk": "np.argsort(x.numpy()) for the positions, tg.take_along_axis(x, positions) for the values",
    "sort": "np.argsort(x.numpy()) for the order, tg.take_along_axis(x, order) for the values",
    "argsort": "np.argsort(x.numpy())",
    "unique": "np.unique(x.numpy())",
    "nonzero": "np.nonzero(x.numpy())",
    "any": "x.numpy().any()",
    "all": "x.numpy().all()",
    "round": "np.round(x.numpy()); it has no slope",
    "is_leaf": ".operation is None",
    "grad_fn": ".operation, and .inputs for what it was applied to",
    "retain_grad": "tg.grad(f), with the value as an argument of f: backward keeps the gradients of leaves only",
    "register_hook": "tg.grad, or tg.draw, which shows the gradient of each step",
    "is_floating_point": '.dtype.kind == "f"',
    "new_zeros": "tg.zeros(shape)",
    "new_ones": "tg.ones(shape)",
    "new_tensor": "tg.Tensor(data)",
    "values": ".numpy()",
    "gradient": ".grad, after backward()",
    "require_grad": ".requires_grad",
    "requires_gradient": ".requires_grad",
    "parameters": "a list of your tensors, such as [w, b]; a tg.nn.Module has .parameters()",
    "zero_grad": "w.grad = None; optimisers and modules have .zero_grad()",
}
_WORDS_IN_PLACE = (
    "abs add sub mul div pow neg exp log sqrt clamp clip relu sigmoid tanh copy fill normal uniform square"
)
TENSOR |= {f"{word}_": _IN_PLACE for word in _WORDS_IN_PLACE.split()}

_SAME_METHODS = (
    "sigmoid relu softmax log_softmax logsumexp log1p expm1 sinh cosh tan erf tril triu maximum minimum broadcast_to"
)
"""Functions of ours that PyTorch has as methods too, with the same arguments: they are methods here as well."""

PACKAGE = {
    "tensor": "tg.Tensor(data)",
    "as_tensor": "tg.Tensor(data); functions take arrays and lists as they are",
    "from_numpy": "tg.Tensor(array); functions take arrays and lists as they are",
    "FloatTensor": "tg.Tensor(data, dtype=np.float32)",
    "LongTensor": "tg.Tensor(data, dtype=np.int64)",
    "Parameter": "tg.Tensor(data, requires_grad=True)",
    "Variable": "tg.Tensor(data, requires_grad=True)",
    "cat": "tg.concat",
    "concatenate": "tg.concat",
    "vstack": "tg.concat",
    "hstack": "tg.concat(…, axis=1)",
    "mm": "a @ b, or tg.matmul",
    "bmm": "a @ b, or tg.matmul",
    "dot": "a @ b, or tg.vecdot",
    "pow": "a ** b, or tg.power",
    "sub": "a - b, or tg.subtract",
    "mul": "a * b, or tg.multiply",
    "div": "a / b, or tg.divide",
    "neg": "-a, or tg.negative",
    "eq": "a == b",
    "gt": "a > b",
    "lt": "a < b",
    "clamp": "tg.clip",
    "cumsum": "tg.cumulative_sum",
    "gather": "tg.take_along_axis",
    "index_select": "tg.take",
    "masked_fill": "tg.where(mask, value, x)",
    "unsqueeze": "tg.expand_dims",
    "permute": "tg.permute_dims",
    "transpose": "tg.permute_dims, x.T, or tg.matrix_transpose for the last two axes",
    "t": "x.T",
    "flatten": "x.ravel()",
    "norm": "tg.sqrt(tg.sum(x * x))",
    "rand": _RANDOM.format("uniform"),
    "randn": _RANDOM.format("normal"),
    "randint": "tg.Tensor(generator.integers(…)), with generator = np.random.default_rng(0)",
    "manual_seed": "generator = np.random.default_rng(seed), which is given to what draws: generator=…",
    "seed": "generator = np.random.default_rng(seed), which is given to what draws: generator=…",
    "float32": "np.float32",
    "float64": "np.float64",
    "float16": "np.float16",
    "float": "np.float32",
    "double": "np.float64",
    "long": "np.int64",
    "int64": "np.int64",
    "bool": "bool",
    "device": _HERE,
    "cuda": _HERE,
    "autograd": "tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian; tg.debug.gradcheck",
    "backward": "loss.backward()",
    "enable_grad": "nothing: gradients are recorded outside of tg.no_grad()",
    "set_grad_enabled": "tg.no_grad()",
    "inference_mode": "tg.no_grad()",
    "is_tensor": "isinstance(x, tg.Tensor)",
    "allclose": "np.allclose",
    "jit": "tg.compile",
    "vmap": "operations on a whole batch: leading axes broadcast",
    "make_dot": "tg.draw",
    "vjp": "tg.grad, or x.backward(gradient=…)",
    "jacrev": "tg.jacobian",
    "jacfwd": "tg.jacobian",
    "utils": "tg.data for batches and data sets",
    "functional": "the function itself, such as tg.relu or tg.cross_entropy",
    "binary_cross_entropy": "tg.binary_cross_entropy_with_logits, before the sigmoid",
    "l1_loss": "tg.mean(tg.abs(prediction - target))",
    "bce_loss": "tg.binary_cross_entropy_with_logits, before the sigmoid",
    "crossentropy": "tg.cross_entropy",
    "categorical_crossentropy": "tg.cross_entropy, before softmax",
    "mse": "tg.mse_loss",
    "DataLoader": "tg.data.batches",
    "SGD": "tg.optim.SGD",
    "Adam": "tg.optim.Adam",
    "AdamW": "tg.optim.AdamW",
    "Linear": "tg.nn.Linear",
    "Module": "tg.nn.Module",
    "train": "tg.fit",
    "compose": "tg.composite",
    "gradcheck": "tg.debug.gradcheck",
}

_OTHER_LAYERS = (
    "Conv1d Conv2d Conv3d MaxPool1d MaxPool2d AvgPool2d BatchNorm2d RNN LSTM GRU MultiheadAttention Transformer"
)
NN = {
    "CrossEntropyLoss": "tg.cross_entropy(logits, target)",
    "NLLLoss": "tg.nll_loss(log_probabilities, target)",
    "MSELoss": "tg.mse_loss(prediction, target)",
    "BCEWithLogitsLoss": "tg.binary_cross_entropy_with_logits(logits, target)",
    "BCELoss": "tg.binary_cross_entropy_with_logits(logits, target), before the sigmoid",
    "L1Loss": "tg.mean(tg.abs(prediction - target))",
    "KLDivLoss": "tg.cross_entropy, which differs by the target's entropy",
    "Parameter": "tg.Tensor(data, requires_grad=True): a Module finds it by its attribute",
    "ParameterList": "a list of tensors, as an attribute",
    "ModuleList": "a list of modules, as an attribute",
    "ModuleDict": "a dict of modules, as an attribute",
    "LogSoftmax": "tg.log_softmax; tg.cross_entropy takes logits as they are",
    "LogSigmoid": "-tg.softplus(-x)",
    "LeakyReLU": "tg.leaky_relu, called in a Module's forward",
    "ELU": "tg.elu, called in a Module's forward",
    "GELU": "tg.gelu, called in a Module's forward",
    "SiLU": "tg.silu, called in a Module's forward",
    "Softplus": "tg.softplus, called in a Module's forward",
    "Flatten": "x.reshape(len(x), -1), in a Module's forward",
    "Identity": "tg.nn.Sequential()",
    "Dense": "tg.nn.Linear(inputs, outputs)",
    "BatchNorm1d": "tg.nn.LayerNorm, or tg.nn.Standardize for inputs",
    "Embedding": "W[class_numbers], with W = tg.Tensor(…, requires_grad=True)",
    "functional": "the function itself, such as tg.relu or tg.cross_entropy",
    "utils": "tg.optim.clip_grad_norm",
    **dict.fromkeys(
        [
            "Conv1d",
            "Conv2d",
            "Conv3d",
            "MaxPool2d",
            "AvgPool2d",
            "RNN",
            "LSTM",
            "GRU",
            "MultiheadAttention",
            "Transformer",
            "BatchNorm2d",
        ],
        _NO_CONVOLUTIONS,
    ),
}

_OTHER_RULES = "RMSprop Adagrad Adadelta Adamax LBFGS NAdam RAdam"
OPTIM = {
    "Optimizer": "tg.optim.Optimiser",
    "lr_scheduler": "tg.optim.schedules",
    "StepLR": "tg.optim.schedules.step",
    "CosineAnnealingLR": "tg.optim.schedules.cosine",
    "clip_grad_norm_": "tg.optim.clip_grad_norm",
    **dict.fromkeys(
        ["RMSprop", "Adagrad", "Adadelta", "LBFGS", "NAdam", "RAdam"], "tg.optim.Adam; or a rule of your own"
    ),
}

DATA = {
    "DataLoader": "tg.data.batches(inputs, labels, batch_size=…, shuffle=True)",
    "TensorDataset": "the arrays themselves: tg.data.batches(inputs, labels, batch_size=…)",
    "random_split": "tg.data.split",
    "train_test_split": "tg.data.split",
    "load_mnist": "tg.data.load_mnist_5k, or tg.data.read_idx for the files",
}

MODULE = {
    "cuda": _HERE,
    "cpu": _HERE,
    "to": _HERE,
    "float": "dtype=np.float32 when the layers are made",
    "double": "dtype=np.float64 when the layers are made",
    "half": "dtype=np.float16 when the layers are made",
    "modules": ".named_modules()",
    "children": ".named_modules()",
    "buffers": ".named_tensors()",
    "register_parameter": "self.name = tg.Tensor(data, requires_grad=True)",
    "register_buffer": "self.name = tg.Tensor(data), which is saved with the others",
    "add_module": "self.name = module",
    "weights": ".state_dict(), or .weight of a layer",
    "fit": "tg.fit(model, batches, optimiser=…, epochs=…)",
    "predict": "model(x)",
    "compile": "tg.compile(training_step)",
}

KEYWORDS = {
    "dim": "axis",
    "dims": "axes",
    "keepdim": "keepdims",
    "learning_rate": "lr",
    "params": "parameters",
    "in_features": "inputs",
    "out_features": "outputs",
    "reduce": "reduction",
    "size_average": "reduction",
    "class_weight": "weight",
    "n_classes": "num_classes",
    "optimizer": "optimiser",
    "n_epochs": "epochs",
    "validation_data": "validation",
    "rng": "generator",
    "seed": "generator",
    "random_state": "generator",
}

_ARGUMENT = re.compile(r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'")


class _Foreign:
    """A word of PyTorch's as an attribute: asking for it raises, so `hasattr` says no."""

    def __init__(self, of: str, name: str, ours: str) -> None:
        self.of, self.name, self.ours = of, name, ours

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(f"{self.of} has no .{self.name}; {_answer(self.ours)}")


class _NeverSet(_Foreign):
    """Of a class that takes no attributes besides its own."""

    def __set__(self, instance: object, value: object) -> NoReturn:
        self.__get__(instance, type(instance))


class _Count(int):
    """A number that says what it is when it is called: `t.size()` is PyTorch's word for the shape."""

    def __call__(self, *_: object) -> NoReturn:
        raise TypeError(".size is the number of elements, as in NumPy; the lengths of the axes are .shape")

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def teach(cls: type, words: Mapping[str, str]) -> None:
    """Have a class answer for words that it does not have, without listing them in `dir`."""
    kind = _NeverSet if hasattr(cls, "__slots__") else _Foreign
    foreign = {name: ours for name, ours in words.items() if not hasattr(cls, name)}
    for name, ours in foreign.items():
        setattr(cls, name, kind(cls.__name__, name, ours))
    listed: Any = cls.__dir__

    def without_foreign(self: Any) -> list[str]:
        own = getattr(self, "__dict__", ())
        return [name for name in listed(self) if name not in foreign or name in own]

    cls.__dir__ = without_foreign  # type: ignore[assignment]


def unknown(module: str, name: str, words: Mapping[str, str], known: Iterable[str]) -> AttributeError:
    """What to raise for a name that a module does not have: our word for it, or what is spelt like it."""
    message = f"module {module!r} has no attribute {name!r}"
    if name in words:
        return AttributeError(f"{message}; {_answer(words[name])}")
    return AttributeError(message + alike(name, known))


def _answer(ours: str) -> str:
    return ours if ours.startswith(("no", "did you")) else f"write {ours}"


def alike(name: str, known: Iterable[str]) -> str:
    """ "; did you mean …?", where something is spelt like it."""
    lower = {word.lower(): word for word in known if not word.startswith("_")}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.7)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def keyword(message: str) -> str:
    """Our word for a keyword that Python did not expect, if its message is about one of ours."""
    found = _ARGUMENT.search(message)
    if found is None:
        return ""
    function = getattr(operations, found[2], None) or getattr(functional, found[2], None)
    options = inspect.signature(function).parameters if callable(function) else ()
    return option(found[3], options)


def option(name: str, options: Iterable[str]) -> str:
    """Our word for an option, among those that there are."""
    options = list(options)
    ours = KEYWORDS.get(name)
    if name == "device":
        return f"; {name}= is {_HERE}"
    if ours is None or (options and ours not in options):
        return alike(name, options)
    return f"; {name}= is {ours}= here"


def _slips(name: str) -> Iterable[str]:
    """Slips of the keyboard: a letter left out, doubled, or exchanged with the next one; a plural."""
    for i in range(len(name)):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + name[i + 1 : i + 2] + name[i] + name[i + 2 :]
    yield name + "s"


def check_options(cls: type, given: Mapping[str, object]) -> None:
    """An error for options that a class of this package does not have, with the right word.

    Raises:
        TypeError: as Python does, but with an answer.
    """
    if not given or not cls.__module__.startswith(__name__.partition(".")[0] + "."):
        return
    options = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    if any(p.kind is p.VAR_KEYWORD for p in options.values()):
        return
    for name in given:
        if name not in options:
            rest = option(name, [known for known in options if known != "self"])
            raise TypeError(f"{cls.__name__} has no option {name!r}{rest}")


for _name in _SAME_METHODS.split():
    setattr(Tensor, _name, getattr(operations, _name, None) or getattr(functional, _name))
NamedArray.size = property(lambda self: _Count(self._array.size), doc="The number of elements.")  # type: ignore[assignment]
_FUNCTIONS = {name: f"tg.{name}(x, …)" for room in (operations, functional) for name in room.__all__}
_OWN = [name for name in dir(Tensor) if not name.startswith("_") and len(name) > 3]
_SLIPS = {slip: f"did you mean .{name}?" for name in _OWN for slip in _slips(name)}
teach(Tensor, _SLIPS | _FUNCTIONS | TENSOR)

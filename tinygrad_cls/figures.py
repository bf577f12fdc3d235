"""The figures of a training run. Colours are Okabe and Ito's, which colour-blind people can tell apart."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from .data import Dataset
from .engine.tensor import Array
from .training import History
from .visible import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#BBBBBB"
# Any: matplotlib's stubs want every key spelled out
_STYLE: Any = {
    "font.size": 15,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 150,
    "text.parse_math": False,
}
_LONGEST = 30  # letters of a class's name
P = ParamSpec("P")


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run `draw` with matplotlib imported and our style set, for it alone; with fonts for what is to be written."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        try:
            from matplotlib import rc_context
        except ModuleNotFoundError as error:
            raise ImportError("figures need matplotlib: pip install matplotlib") from error
        fonts = _fonts(frozenset("".join(map(_written, (*args, *kwargs.values())))))
        with rc_context(_STYLE | {"font.family": list(fonts)}):
            return draw(*args, **kwargs)

    return drawn


def _written(argument: object) -> str:
    """What a figure may write of an argument: its text, the names in it."""
    match argument:
        case str():
            return argument
        case tuple():
            return "".join(map(_written, argument))
        case Dataset():
            return "".join([argument.name, *argument.class_names])
    return ""


@functools.cache
def _fonts(letters: frozenset[str]) -> tuple[str, ...]:
    """Font families that together have the letters: matplotlib's own, and where it lacks some, others from this system.

    Warns:
        UserWarning: when there is no font for some letters, which will be shown as boxes.
    """
    from matplotlib import font_manager as fonts
    from matplotlib.ft2font import FT2Font

    def lacking(path: str, letters: set[str]) -> set[str]:
        known = FT2Font(path).get_charmap()
        return {letter for letter in letters if ord(letter) not in known}

    families = ["DejaVu Sans"]
    missing = lacking(fonts.findfont(families[0]), {letter for letter in letters if letter.isprintable()})
    if missing:
        _know_new_fonts()
        for font in sorted(fonts.fontManager.ttflist, key=_preference):
            if missing and "Last Resort" not in font.name and (left := lacking(font.fname, missing)) != missing:
                families.append(font.name)
                missing = left
    if missing:
        shown = " ".join(sorted(missing)[:5])
        warnings.warn(
            f"no font here has {shown}, which figures will show as boxes: install one, for Chinese such as Noto Sans "
            "CJK (Debian and Ubuntu: apt install fonts-noto-cjk)",
            stacklevel=3,
        )
    return tuple(families)


def _know_new_fonts() -> None:
    """Tell matplotlib of fonts that were installed after it last looked."""
    from matplotlib import font_manager as fonts

    known = {font.fname for font in fonts.fontManager.ttflist}
    for path in fonts.findSystemFonts():
        if path not in known:
            with contextlib.suppress(Exception):  # of a file that is no font, or none that matplotlib reads
                fonts.fontManager.addfont(path)


def _preference(font: Any) -> tuple[bool, bool, bool, str]:
    """Plain faces first, and those made for Chinese, so that few files need be opened."""
    chinese = ("CJK SC", "Han Sans SC", "PingFang SC", "YaHei", "Hiragino Sans GB", "WenQuanYi", "SimHei", "Heiti SC")
    made_for_it = any(name in font.name for name in chinese)
    return font.style != "normal" or font.weight not in (400, "normal"), not made_for_it, "Mono" in font.name, font.name


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _short(name: str) -> str:
    """The name of a class as there is room for it."""
    name = visible(name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


@_styled
def curve(history: History, measure: str, title: str) -> Figure:
    """A measure of `tg.fit`'s history over the epochs, training and validation.

    Args:
        history: as from `tg.fit`.
        measure: "loss" (on a logarithmic axis) or "accuracy".
        title: over the figure.

    Raises:
        ImportError: without matplotlib.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    figure = _figure(9, 5.6)
    axes = figure.subplots()
    epochs = np.arange(1, len(history[measure]) + 1)
    style: dict[str, Any] = {"linewidth": 2.5, "marker": "o" if len(epochs) < 15 else None}
    factor = 100 if measure == "accuracy" else 1
    axes.plot(epochs, factor * np.array(history[measure]), color=BLUE, label="training", **style)
    if f"validation_{measure}" in history:
        values = factor * np.array(history[f"validation_{measure}"])
        axes.plot(epochs, values, color=VERMILION, linestyle="--", label="validation", **style)
    if measure == "loss":
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    axes.set(xlabel="epoch", ylabel="accuracy / %" if measure == "accuracy" else "loss", title=visible(title))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=GREY, alpha=0.4)
    axes.legend(frameon=False)
    return figure


@_styled
def confusion(labels: Array, predictions: Array, names: tuple[str, ...], title: str) -> Figure:
    """How often each class was taken for each other: rows are the true classes.

    Args:
        labels: the true class numbers.
        predictions: the predicted class numbers.
        names: of the classes.
        title: over the figure.

    Raises:
        ImportError: without matplotlib.
    """
    from matplotlib.patches import Rectangle

    counts = confusion_matrix(labels, predictions, len(names))
    side = min(max(5.5, 0.62 * len(names) + 1.5), 25)  # inches; more would be a picture that no program opens
    figure = _figure(side + 1, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), count in np.ndenumerate(counts):
        if count and len(names) <= 30:
            colour = "white" if shares[row, column] > 0.5 else "black"
            weight = "normal" if row == column else "bold"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, weight=weight)
        if count and row != column:  # a rare error would be too pale to be seen
            corner = (column - 0.44, row - 0.44)
            axes.add_patch(Rectangle(corner, 0.88, 0.88, fill=False, edgecolor=VERMILION, linewidth=2.5))
    ticks = [_short(name) for name in names]
    long = max(map(len, ticks)) > 3
    axes.set_xticks(range(len(names)), ticks, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(len(names)), ticks)
    axes.set(xlabel="predicted class", ylabel="true class", title=visible(title))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, label="share of the true class / %", fraction=0.046, pad=0.04)
    return figure


def confusion_matrix(labels: Array, predictions: Array, classes: int) -> Array:
    """Counts, shape (classes, classes): rows are the true classes, columns the predicted ones."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predictions), 1)
    return counts


@_styled
def samples(data: Dataset, probabilities: Array, generator: np.random.Generator) -> Figure:
    """Some samples with their predictions: at random, and those on which the model is most wrong or least sure.

    Args:
        data: the samples; images are shown as such.
        probabilities: of each class for each sample.
        generator: for the choice.

    Raises:
        ImportError: without matplotlib.
    """
    half = min(10, max(1, len(data) // 2))
    of_truth = probabilities[np.arange(len(data)), data.labels]
    hardest = np.argsort(of_truth, kind="stable")[:half]
    chosen = generator.permutation(np.setdiff1d(np.arange(len(data)), hardest))[:half]
    rows = [("chosen at random", chosen), ("the least probable true classes", hardest)]
    return _images(data, probabilities, rows) if data.image_shape else _bars(data, probabilities, rows)


def _images(data: Dataset, probabilities: Array, rows: list[tuple[str, Array]]) -> Figure:
    figure = _figure(11, 10)
    halves: Any = figure.subfigures(2, 1, hspace=0.05)
    for part, (title, indices) in zip(halves, rows, strict=True):
        part.suptitle(f"{title}: prediction and its probability", fontsize=17)
        for axes, i in zip(part.subplots(2, 5).flat, indices, strict=False):
            guess, truth = int(probabilities[i].argmax()), int(data.labels[i])
            axes.imshow(data.inputs[i].reshape(data.image_shape), cmap="gray_r")
            text = f"{_short(data.class_names[guess])}  {100 * probabilities[i, guess]:.0f} %"
            if guess != truth:
                text = f"✗ {text}\nis {_short(data.class_names[truth])}"
            axes.set_title(text, color=VERMILION if guess != truth else "black", fontsize=15)
        for axes in part.axes:
            axes.set_axis_off()
    return figure


def _bars(data: Dataset, probabilities: Array, rows: list[tuple[str, Array]]) -> Figure:
    shades = [BLUE, ORANGE, GREEN, VERMILION, "#CC79A7", "#56B4E9", "#F0E442", "#000000"]
    figure = _figure(13, 7)
    both: Any = figure.subplots(1, 2)
    for axes, (title, indices) in zip(both, rows, strict=True):
        left = np.zeros(len(indices))
        for k, name in enumerate(map(_short, data.class_names)):
            values = 100 * probabilities[indices, k]
            colour = shades[k % len(shades)]
            axes.barh(range(len(indices)), values, left=left, color=colour, edgecolor="white", label=name)
            left = left + values
        right = probabilities[indices].argmax(axis=1) == data.labels[indices]
        marks = ["" if ok else "✗ " for ok in right]
        names = [mark + _short(data.class_names[data.labels[i]]) for mark, i in zip(marks, indices, strict=True)]
        axes.set_yticks(range(len(indices)), names)
        for tick, ok in zip(axes.get_yticklabels(), right, strict=True):
            tick.set_color("black" if ok else VERMILION)
        axes.invert_yaxis()
        axes.set(xlabel="probability / %", ylabel="true class (✗: predicted another)", title=title, xlim=(0, 100))
        axes.title.set_fontsize(15)
    handles, labels = both[0].get_legend_handles_labels()
    columns = min(6, len(labels))
    figure.legend(handles[:24], labels[:24], loc="outside lower center", ncols=columns, frameon=False)
    return figure

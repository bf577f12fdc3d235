"""`tinygrad-cls train`: a classifier on real data, with progress, checkpoints, figures and a table."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cls as tg

from ..drawing.columns import columns
from ..nn.layers import ACTIVATIONS
from ..visible import visible
from .arguments import Help, accept_negative_numbers, check_folder, path

PACKAGED = {
    "digits": "load_digits",
    "iris": "load_iris",
    "wine": "load_wine",
    "breast_cancer": "load_breast_cancer",
    "mnist_5k": "load_mnist_5k",
}
LOSSES = ("cross_entropy", "mse")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train",
        help="train a classifier",
        description="Train a classifier and test it on samples that it has not seen. Writes checkpoints, history.json "
        "and figures to a folder, and prints a table.",
        formatter_class=Help,
    )
    parser.add_argument(
        "data", metavar="DATA", help=f"{', '.join(PACKAGED)}, a CSV file, or an IDX file of images (see --labels)"
    )
    source = parser.add_argument_group("data in files")
    source.add_argument("--label", default="-1", metavar="COLUMN", help="CSV: the class's column, by name or number")
    source.add_argument("--no-header", action="store_true", help="CSV: the first line is data")
    source.add_argument("--delimiter", default=",", help="CSV: what is between the columns; tab for a tab")
    source.add_argument("--encoding", default="utf-8", help="CSV: of the text, such as gbk")
    source.add_argument("--labels", type=path, metavar="FILE", help="IDX: the file of the labels")
    model = parser.add_argument_group("model")
    model.add_argument("--model", choices=["softmax", "mlp"], default="mlp", help="one linear layer, or a network")
    model.add_argument("--hidden", type=int, nargs="+", default=[128], metavar="N", help="mlp: the hidden widths")
    model.add_argument("--activation", choices=sorted(ACTIVATIONS), default="relu", help="mlp: after hidden layers")
    model.add_argument("--dropout", type=float, default=0.0, metavar="P", help="mlp: after hidden layers")
    learning = parser.add_argument_group("training")
    learning.add_argument("--loss", choices=LOSSES, default="cross_entropy", help="mse: of the probabilities")
    learning.add_argument("--optimiser", choices=["sgd", "adam", "adamw"], default="adamw", help="the update rule")
    learning.add_argument("--lr", type=float, help="the learning rate; default 0.1 for sgd, else 0.005")
    learning.add_argument("--momentum", type=float, default=0.9, help="sgd only")
    learning.add_argument("--weight-decay", type=float, default=0.0, help="pulls the parameters towards 0")
    learning.add_argument("--schedule", choices=["constant", "cosine"], default="cosine", help="of the learning rate")
    learning.add_argument("--warm-up", type=int, default=0, metavar="N", help="epochs before the full learning rate")
    learning.add_argument("--epochs", type=int, default=30, help="passes over the training data")
    learning.add_argument("--batch-size", type=int, default=32, help="samples in a mini-batch")
    learning.add_argument("--patience", type=int, metavar="N", help="stop after N epochs without improvement")
    learning.add_argument("--seed", type=int, default=0, help="for the split, the weights and the batches")
    learning.add_argument("--validation", type=float, default=0.15, metavar="PART", help="of the samples")
    learning.add_argument("--test", type=float, default=0.15, metavar="PART", help="of the samples")
    parser.add_argument("--output", type=path, default=Path("run"), metavar="FOLDER", help="where the results go")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    accept_negative_numbers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    for package, what in (("matplotlib", "figures"), ("safetensors", "checkpoints")):
        if importlib.util.find_spec(package) is None:  # better said now than after the training
            raise ImportError(f"the {what} need {package}: pip install {package}")
    _check_used(options)
    check_folder(options.output)
    data = _load(options)
    _check_classes(data)
    if options.epochs < 1:
        raise ValueError("--epochs must be 1 or more")
    if options.seed < 0:
        raise ValueError(f"--seed must be 0 or more, not {options.seed}")
    if min(options.hidden) < 1:
        raise ValueError(f"--hidden needs widths of 1 or more, not {min(options.hidden)}")
    if options.patience is not None and options.patience < 1:
        raise ValueError(f"--patience must be 1 or more, not {options.patience}")
    if not 0 <= options.dropout <= 1:
        raise ValueError(f"--dropout is a probability from 0 to 1, not {options.dropout:g}")
    if not (options.validation > 0 and options.test > 0 and options.validation + options.test < 1):
        raise ValueError(
            f"--validation {options.validation} and --test {options.test} must be greater than 0, and less than 1 "
            "together, or nothing is left for training"
        )
    generator = np.random.default_rng(options.seed)
    fractions = (1 - options.validation - options.test, options.validation, options.test)
    names = ("training", "validation", "test")
    if min(round(part * len(data)) for part in fractions) < 1:
        raise ValueError(
            f"{len(data)} samples are too few for --validation {options.validation} and --test {options.test}: one of "
            "the parts would be empty"
        )
    pieces = tg.data.split(
        data.inputs, data.labels, fractions=fractions, generator=generator, stratify=_enough(data, len(fractions))
    )
    parts = dict(zip(names, pieces, strict=True))
    recipe = _recipe(options, data)
    model = build(recipe, parts["training"][0], generator)
    train = tg.data.batches(*parts["training"], batch_size=options.batch_size, shuffle=True, generator=generator)
    optimiser = _optimiser(options, model)
    loss = _loss(options.loss)

    print(f"{data!r}\n{model!r}\n")
    if not options.resume and (options.output / "last.safetensors").exists():
        raise FileExistsError(
            f"{options.output} holds another run: go on with it by --resume, or choose another --output"
        )
    settings = _settings(options)
    if options.resume:
        _check_same(options.output / "last.safetensors", {"recipe": recipe, "settings": settings})
    missing = [folder for folder in (options.output, *options.output.parents) if not folder.exists()]
    try:
        history = tg.fit(
            model,
            train,
            optimiser=optimiser,
            epochs=options.epochs,
            loss=loss,
            validation=tg.data.batches(*parts["validation"], batch_size=1024),
            schedule=_schedule(options, optimiser, len(train)),
            patience=options.patience,
            folder=options.output,
            resume=options.resume,
            metadata={"recipe": recipe, "settings": settings},
        )
    except KeyboardInterrupt:
        print(f"\nstopped; the last whole epoch is in {options.output}: go on with --resume", file=sys.stderr)
        return 130
    except FloatingPointError as error:
        _forget(missing)
        raise FloatingPointError(
            f"{str(error).partition(':')[0]}: choose a lower --lr, or look for inputs that are very large"
        ) from None
    except Exception:
        _forget(missing)
        raise
    for epoch, value in enumerate(history["validation_loss"], 1):
        if not np.isfinite(value):
            raise FloatingPointError(
                f"the loss of the validation samples is {value} in epoch {epoch}: choose a lower --lr, or look for "
                "inputs that are very large"
            )
    _report(options, data, model, loss, parts, history)
    return 0


_USED = (  # options, what they are for, and whether that is asked for
    ("label no_header delimiter encoding", "CSV files", lambda o: o.data not in PACKAGED and o.labels is None),
    ("labels", "IDX files", lambda o: o.data not in PACKAGED),
    ("hidden activation dropout", "--model mlp", lambda o: o.model == "mlp"),
    ("momentum", "--optimiser sgd", lambda o: o.optimiser == "sgd"),
)


def _check_used(options: argparse.Namespace) -> None:
    """An option that would change nothing is a misunderstanding."""
    for names, what, asked_for in _USED:
        for name in names.split():
            if not asked_for(options) and getattr(options, name) != options.parser.get_default(name):
                options.parser.error(f"--{name.replace('_', '-')} is for {what}")


def _forget(made: list[Path]) -> None:
    """Remove the folders that a run has made, if it failed in its first epoch."""
    if made and not (made[0] / "best.safetensors").exists():
        (made[0] / "last.safetensors").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            for folder in made:
                folder.rmdir()


def build(recipe: dict[str, Any], inputs: Any, generator: np.random.Generator) -> tg.nn.Sequential:
    """The model of a recipe. Tables are standardized by `inputs`; images are within 0..1 already."""
    layers: list[tg.nn.Module] = [tg.nn.Standardize(inputs)] if recipe["standardize"] else []
    width = len(recipe["features"])
    for hidden in recipe["hidden"]:
        layers += [tg.nn.Linear(width, hidden, generator=generator), getattr(tg.nn, recipe["activation"])()]
        if recipe["dropout"]:
            layers.append(tg.nn.Dropout(recipe["dropout"], generator=generator))
        width = hidden
    return tg.nn.Sequential(*layers, tg.nn.Linear(width, len(recipe["classes"]), generator=generator))


def _load(options: argparse.Namespace) -> tg.data.Dataset:
    if options.data in PACKAGED:
        loaded: tg.data.Dataset = getattr(tg.data, PACKAGED[options.data])()
        return loaded
    if "\0" in options.data or not Path(options.data).exists():
        raise ValueError(f"{options.data} is neither a file nor one of {', '.join(PACKAGED)}")
    if options.labels is not None:
        return tg.data.read_idx_dataset(options.data, options.labels)
    return tg.data.read_csv(options.data, label=options.label, header=not options.no_header, **written(options))


def written(options: argparse.Namespace) -> dict[str, Any]:
    """How a CSV file is written, as the readers take it."""
    delimiter = "\t" if options.delimiter in ("tab", "\\t") else options.delimiter
    return {"delimiter": delimiter, "encoding": options.encoding}


def _check_classes(data: tg.data.Dataset) -> None:
    names, advice = data.class_names, "is the right column chosen by --label?"
    if len(names) < 2:
        raise ValueError(
            f"all {len(data)} samples are of one class, {names[0]!r}, so there is nothing to learn; {advice}"
        )
    counted = len(names) > 20 and all(name.isdecimal() for name in names)  # prices, years, …: rather a quantity
    if len(names) > len(data) / (5 if counted else 2):
        raise ValueError(
            f"there are {len(names)} classes, {names[0]!r}, {names[1]!r}, …, for {len(data)} samples, "
            f"too many to learn from; {advice}"
        )


def _enough(data: tg.data.Dataset, parts: int) -> Any:
    """The labels, to stratify by; None where a class is too rare for that."""
    counts = np.bincount(data.labels)
    return data.labels if counts[counts > 0].min() >= parts else None


def _recipe(options: argparse.Namespace, data: tg.data.Dataset) -> dict[str, Any]:
    """What is needed to build the model again and to read its inputs."""
    return {
        "features": list(data.feature_names),
        "classes": list(data.class_names),
        "image_shape": list(data.image_shape) if data.image_shape else None,
        "standardize": data.image_shape is None,
        "hidden": options.hidden if options.model == "mlp" else [],
        "activation": ACTIVATIONS[options.activation].__name__,
        "dropout": options.dropout,
    }


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What must be the same for a run to go on in the same bits."""
    kept = "data label loss optimiser lr momentum weight_decay schedule warm_up batch_size seed validation test"
    settings = {name: getattr(options, name) for name in kept.split()}
    if options.schedule == "cosine":  # its length is the run's
        settings["epochs"] = options.epochs
    return settings


def _check_same(path: Path, now: dict[str, Any]) -> None:
    if not path.exists():
        return
    metadata = tg.load(path).metadata
    for group, values in now.items():
        saved = metadata.get(group)
        if not isinstance(saved, dict):
            raise ValueError(f"{path} was not written by `tinygrad-cls train`: it has no {group}")
        for name, value in values.items():
            if saved.get(name) != value:
                raise ValueError(
                    f"the run in {path.parent} was started with {name}={saved.get(name)}, not {value}: "
                    "resume it with the same options, or choose another --output"
                )


def _optimiser(options: argparse.Namespace, model: tg.nn.Module) -> tg.optim.Optimiser:
    lr = options.lr if options.lr is not None else {"sgd": 0.1}.get(options.optimiser, 0.005)
    if options.optimiser == "sgd":
        return tg.optim.SGD(model.parameters(), lr, momentum=options.momentum, weight_decay=options.weight_decay)
    rule = {"adam": tg.optim.Adam, "adamw": tg.optim.AdamW}[options.optimiser]
    return rule(model.parameters(), lr, weight_decay=options.weight_decay)


def _schedule(options: argparse.Namespace, optimiser: tg.optim.Optimiser, batches: int) -> Any:
    schedules = tg.optim.schedules
    warm_up, steps = options.warm_up * batches, options.epochs * batches
    if not 0 <= options.warm_up < options.epochs:
        raise ValueError(f"--warm-up must be shorter than the {options.epochs} epochs, and 0 or more")
    curve: Any = schedules.cosine(steps - warm_up) if options.schedule == "cosine" else schedules.step(steps, 1.0)
    return schedules.Schedule(optimiser, schedules.warm_up(warm_up).then(curve) if warm_up else curve)


def _loss(name: str) -> Callable[..., tg.Tensor]:
    from ..training import LOSSES

    return LOSSES[name]


def _report(
    options: argparse.Namespace,
    data: tg.data.Dataset,
    model: tg.nn.Sequential,
    loss: Callable[..., tg.Tensor],
    parts: dict[str, Any],
    history: dict[str, list[float]],
) -> None:
    """Write history and figures; print the table."""
    from .. import figures

    folder: Path = options.output
    inputs, labels = parts["test"]
    with tg.no_grad():
        probabilities = tg.softmax(model(inputs)).numpy()
    predictions = probabilities.argmax(axis=1)
    table = []
    for name, (x, y) in parts.items():
        result = tg.evaluate(model, tg.data.batches(x, y, batch_size=1024), loss=loss)
        table.append([name, f"{len(y):,}", f"{result['loss']:.4f}", f"{result['accuracy']:.2%}"])
    (folder / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    tested = tg.data.Dataset(inputs, labels, data.class_names, data.feature_names, data.image_shape, data.name)
    generator = np.random.default_rng(options.seed)
    drawn = {
        "loss": figures.curve(history, "loss", f"{data.name}: {options.loss}"),
        "accuracy": figures.curve(history, "accuracy", f"{data.name}: accuracy"),
        "confusion": figures.confusion(labels, predictions, data.class_names, f"{data.name}: test samples"),
        "samples": figures.samples(tested, probabilities, generator),
    }
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png")
    epochs, best = len(history["loss"]), int(np.argmin(history["validation_loss"])) + 1
    seconds = sum(history["seconds"])
    print(f"{epochs} epochs in {seconds:.1f} s, {options.loss}, {options.optimiser}; kept: epoch {best}\n")
    _print_table(["part", "samples", "loss", "accuracy"], table)
    matrix = figures.confusion_matrix(labels, predictions, len(data.class_names))
    hits, given, said = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    rows = [
        [name, f"{given[k]:,}", _share(hits[k], said[k]), _share(hits[k], given[k])]
        for k, name in enumerate(data.class_names)
    ]
    print()
    _print_table(["test class", "samples", "precision", "recall"], rows)
    print(
        f"\nIn {visible(str(folder))}: best.safetensors, last.safetensors, history.json, "
        + ", ".join(f"{n}.png" for n in drawn)
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    table = [[visible(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        room = [" " * (width - columns(cell)) for cell, width in zip((first, *others), widths, strict=True)]
        cells = [first + room[0], *(space + cell for space, cell in zip(room[1:], others, strict=True))]
        print("  ".join(cells).rstrip())

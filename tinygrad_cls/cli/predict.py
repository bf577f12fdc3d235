"""`tinygrad-cls predict`: what a trained classifier says about the samples of a file."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cls as tg

from ..files import write
from ..visible import visible
from .arguments import Help, path
from .train import build, written


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict",
        help="apply a trained classifier to a file",
        description="Apply a checkpoint of `tinygrad-cls train` to the samples of a file. Writes CSV: the predicted "
        "class of each sample, its probability, and the probabilities of all classes.",
        formatter_class=Help,
    )
    parser.add_argument("checkpoint", type=path, metavar="CHECKPOINT", help="such as run/best.safetensors")
    parser.add_argument("file", type=path, metavar="FILE", help="CSV with the features, or IDX with images")
    parser.add_argument("--no-header", action="store_true", help="CSV: the columns are the features, in their order")
    parser.add_argument("--delimiter", default=",", help="CSV: what is between the columns; tab for a tab")
    parser.add_argument("--encoding", default="utf-8", help="CSV: of the text, such as gbk")
    parser.add_argument("--output", type=path, metavar="FILE", help="default: the standard output")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    _check_output(options)
    recipe, model = _loaded(options.checkpoint)
    inputs = _inputs(options, recipe)
    with tg.no_grad():
        probabilities = tg.softmax(model.eval()(inputs)).numpy()
    for i in np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[:1]:
        raise ValueError(f"{options.file}: of sample {i} the model gives no probabilities: its values are too large")
    classes = recipe["classes"]
    if options.output is None and sys.stdout.isatty():
        classes = [visible(name) for name in classes]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["sample", "class", "probability", *classes])
    for i, row in enumerate(probabilities):
        best = int(row.argmax())
        writer.writerow([i, classes[best], f"{row[best]:.6g}", *(f"{p:.6g}" for p in row)])
    if options.output is None:
        print(table.getvalue(), end="")
    else:
        write(options.output, table.getvalue().encode())
        print(f"{len(inputs)} predictions in {visible(str(options.output))}")
    return 0


def _check_output(options: argparse.Namespace) -> None:
    """What is read shall not be written over."""
    for given in (options.file, options.checkpoint):
        there = options.output is not None and options.output.is_file() and given.exists()
        if there and os.path.samefile(options.output, given):
            raise ValueError(f"--output {options.output} is what is read, and would be lost: choose another name")


def _loaded(path: Path) -> tuple[dict[str, Any], tg.nn.Sequential]:
    """What the checkpoint reads, and its model. Nothing is built that the tensors in the file do not fill."""
    checkpoint = tg.load(path)
    recipe = checkpoint.metadata.get("recipe")
    if recipe is None:
        raise ValueError(f"{path} was not written by `tinygrad-cls train`: it does not say what it reads")
    try:
        widths = [len(recipe["features"]), *recipe["hidden"], len(recipe["classes"])]
        names = [*recipe["features"], *recipe["classes"], recipe["activation"]]
        shapes = [shape for pair in itertools.pairwise(widths) for shape in (pair, pair[1:])]
        held = [array.shape for name, array in checkpoint.model_state.items() if name.endswith((".weight", ".bias"))]
        if Counter(shapes) != Counter(held) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{widths} are not the lengths of what is in it")
        model = build(recipe, np.zeros((1, widths[0]), np.float32), np.random.default_rng(0))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not as `tinygrad-cls train` writes it: {error!r}") from error
    model.load_state_dict(checkpoint.model_state)
    return recipe, model


def _inputs(options: argparse.Namespace, recipe: dict[str, Any]) -> Any:
    features = recipe["features"]
    with open(options.file, "rb") as file:
        start = file.read(2)
    if recipe.get("image_shape") and start in (b"\0\0", b"\x1f\x8b"):
        images = tg.data.read_idx(options.file)
        if images.ndim != 3 or list(images.shape[1:]) != recipe["image_shape"] or images.dtype != np.uint8:
            raise ValueError(
                f"{options.file}: the model needs images of {recipe['image_shape']} bytes, "
                f"got shape {images.shape}, {images.dtype}"
            )
        return (images.reshape(len(images), -1) / np.float32(255)).astype(np.float32)
    inputs, names = tg.data.read_csv_inputs(
        options.file,
        columns=None if options.no_header else features,
        header=not options.no_header,
        **written(options),
    )
    if len(names) != len(features):
        raise ValueError(f"{options.file}: {len(names)} columns, but the model needs {len(features)} features")
    return inputs

"""A progress bar over the batches of a run."""

from __future__ import annotations

import sys
from collections.abc import Sized
from typing import Any

from .evaluation import Data, Mean


class Bar:
    """A progress bar over all batches of all epochs, or nothing."""

    def __init__(self, epochs: int, train: Data, done: int, wanted: bool | None) -> None:
        self.epochs = epochs
        self.bar: Any = None
        if wanted or (wanted is None and sys.stderr.isatty()):
            try:
                from tqdm.auto import tqdm
            except ModuleNotFoundError as error:
                if wanted:
                    raise ImportError("a progress bar needs the package tqdm: pip install tqdm") from error
                return
            batches = len(train) if isinstance(train, Sized) else None
            total = None if batches is None else batches * epochs
            self.bar = tqdm(total=total, initial=(batches or 0) * done, unit="batch", dynamic_ncols=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, epoch: int, mean: Mean) -> None:
        if self.bar is not None:
            row = mean.row("")
            self.bar.set_description(f"epoch {epoch + 1}/{self.epochs}", refresh=False)
            self.bar.set_postfix_str(f"loss {row['loss']:.4f}, accuracy {row['accuracy']:.2%}", refresh=False)
            self.bar.update()

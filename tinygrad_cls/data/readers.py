"""Readers for files: CSV, and IDX (the format of MNIST). What is malformed is reported with its place in the file."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import re
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ..advice import warn
from ..engine.tensor import Array
from ..files import PathLike
from .dataset import Dataset

_MANY = 20  # rows: fewer may count by chance
_WORD = 8  # letters of a word that is shown
_ENCODINGS = ("utf-8", "gbk", "big5", "shift_jis", "euc_kr", "cp1252")
_NO_TEXTS = {
    b"PK\x03\x04": "an archive, as Excel's .xlsx and NumPy's .npz are: save it as CSV",
    b"\xd0\xcf\x11\xe0": "a file of an old Excel, .xls: save it as CSV",
    b"\x1f\x8b": "compressed (gzip): unpack it first",
    b"\x93NUMPY": "an array of NumPy's, .npy: save it as CSV",
}

# --- CSV ------------------------------------------------------------------------------------------------------


def read_csv(
    path: PathLike,
    *,
    label: str | int = -1,
    header: bool = True,
    class_names: list[str] | tuple[str, ...] | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8",
    dtype: npt.DTypeLike = np.float32,
) -> Dataset:
    """A CSV file with one sample a line: numbers, and the class in one column.

    Args:
        path: the file.
        label: the column of the class, by its name in the header or by its number (from 0, or from the end as -1);
            a text that is no name in the header may be a number too, "-1".
        header: whether the first line has the names of the columns.
        class_names: the classes in the order of their numbers; by default those found, whole numbers by size, then
            texts by alphabet.
        delimiter: between the columns.
        encoding: of the text, such as "gbk" or "cp1252", in which Excel writes CSV in China and in the West.
        dtype: of the inputs.

    Returns:
        A `Dataset`; the class is a number from 0, its text is in `class_names`.

    Raises:
        ValueError: names the file, the line, and the column of what is wrong: a missing or surplus column, no number,
            nan or infinity, an empty cell, a class not in `class_names`, a quote that is not closed, text in another
            encoding, another delimiter, an empty file, no text at all, a header that looks like data or has a name
            twice, a label that is a quantity, nan, or one number in two spellings.

    Warns:
        LearningWarning: when a column does nothing but count the rows.

    Example:
        >>> import pathlib, tempfile
        >>> import tinygrad_cls as tg
        >>> path = pathlib.Path(tempfile.mkdtemp(), "irises.csv")
        >>> _ = path.write_text("length,width,kind\\n5.1,3.5,setosa\\n7.0,3.2,versicolor\\n", encoding="utf-8")
        >>> data = tg.data.read_csv(path, label="kind")
        >>> data.labels, data.class_names
        (array([0, 1]), ('setosa', 'versicolor'))
    """
    names, rows, lines = _table(path, header, delimiter, encoding)
    column = _column(path, names, label, header)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: more than one column is called {name!r}: give each a name of its own")
    kept = [i for i in range(len(names)) if i != column]
    if not kept:
        raise ValueError(f"{path}: there is no column besides the label's")
    if header and label != names[column] and all(_is_number(names[i]) for i in kept):
        raise ValueError(
            f"{path}: the header has numbers for names, {names[kept[0]]!r} …, as if it were data: if there is no "
            f"header, say header=False; if it is one, name the label's column, label={names[column]!r}"
        )
    inputs = _numbers(path, rows, lines, names, kept, dtype)
    texts = [row[column].strip() for row in rows]
    for text, line in zip(texts, lines, strict=True):
        if not text:
            raise ValueError(f"{path}, line {line}: the label, column {names[column]!r}, is empty")
    if class_names is None:
        _check_classes(path, names[column], set(texts))
    classes = tuple(class_names) if class_names is not None else tuple(sorted(set(texts), key=_by_number))
    numbers = {name: i for i, name in enumerate(classes)}
    if len(numbers) < len(classes):
        raise ValueError(f"{path}: class_names names a class twice: {classes}")
    for text, line in zip(texts, lines, strict=True):
        if text not in numbers:
            raise ValueError(f"{path}, line {line}: the class {text!r} is none of {', '.join(classes)}")
    labels = np.array([numbers[text] for text in texts], dtype=np.int64)
    _check_no_counter(path, inputs, [names[i] for i in kept])
    stem = os.path.splitext(os.path.basename(path))[0]
    return Dataset(inputs, labels, classes, tuple(names[i] for i in kept), None, stem)


def read_csv_inputs(
    path: PathLike,
    *,
    columns: list[str] | tuple[str, ...] | None = None,
    header: bool = True,
    delimiter: str = ",",
    encoding: str = "utf-8",
    dtype: npt.DTypeLike = np.float32,
) -> tuple[Array, tuple[str, ...]]:
    """A CSV file of numbers without a class: what a trained model is to be applied to.

    Args:
        path: the file.
        columns: the names of the columns to read, in the order wanted; by default all. Needs a header.
        header, delimiter, encoding, dtype: as for `read_csv`.

    Returns:
        The inputs, shape (samples, features), and the names of their columns.

    Raises:
        ValueError: as for `read_csv`, and when one of `columns` is missing.

    Example:
        >>> import pathlib, tempfile
        >>> import tinygrad_cls as tg
        >>> path = pathlib.Path(tempfile.mkdtemp(), "irises.csv")
        >>> _ = path.write_text("length,width\\n5.1,3.5\\n", encoding="utf-8")
        >>> tg.data.read_csv_inputs(path, columns=["width"])[0]
        array([[3.5]], dtype=float32)
    """
    names, rows, lines = _table(path, header, delimiter, encoding)
    kept = list(range(len(names)))
    if columns is not None:
        kept = [_column(path, names, name, header) for name in columns]
    return _numbers(path, rows, lines, names, kept, dtype), tuple(names[i] for i in kept)


def _check_classes(path: PathLike, name: str, texts: set[str]) -> None:
    fractions = [text for text in texts if _is_number(text) and not float(text).is_integer()]
    if fractions and len(texts) > 20 and all(map(_is_number, texts)):
        raise ValueError(
            f"{path}: the label, column {name!r}, has {len(texts)} different numbers, such as {min(fractions)}: a "
            "quantity, where a classifier needs classes. Choose another column by label=, or make classes of it first"
        )
    numbers: dict[float, str] = {}
    for text in sorted(filter(_is_number, texts)):
        value = float(text)
        if value != value:
            raise ValueError(f"{path}: the label, column {name!r}, is {text!r} somewhere: leave out such samples first")
        if numbers.setdefault(value, text) != text:
            raise ValueError(
                f"{path}: the label, column {name!r}, has {numbers[value]!r} and {text!r}, which are one number and "
                "would be two classes: write them alike"
            )


def _check_no_counter(path: PathLike, inputs: Array, names: list[str]) -> None:
    """Tables are written with the number of each row, by which a model would learn the order of the file."""
    if len(inputs) < _MANY:
        return
    for values, name in zip(inputs.T, names, strict=True):
        if values[0] in (0, 1) and (np.diff(values) == 1).all():
            warn(
                f"{path}: the column {name!r} counts the rows, {values[0]:g}, {values[1]:g}, …: in a file that is "
                "sorted by class a model learns nothing but that. Leave such a column out (in pandas, index=False)"
            )


def _text(path: PathLike, encoding: str) -> str:
    # Read at once, so that a bad byte is known by its place in the file.
    with open(path, "rb") as file:
        content = file.read()
    for start, what in _NO_TEXTS.items():
        if content.startswith(start):
            raise ValueError(f"{path}: this is no text but {what}")
    try:
        return content.decode("utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding)
    except LookupError:
        raise ValueError(f"{path}: no encoding is called {encoding!r}; there are utf-8, gbk, cp1252, …") from None
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        line, name = content.count(b"\n", 0, at) + 1, "UTF-8" if encoding == "utf-8" else encoding
        raise ValueError(f"{path}, line {line}, byte {at}: this is not {name} text{_other_encoding(content)}") from None


def _other_encoding(content: bytes) -> str:
    """What helps to choose: many a file can be read in several encodings, and only who knows its words can tell."""
    if hint := _utf_16(content):
        return hint
    found = {}
    for encoding in _ENCODINGS:
        try:
            word = re.search(r"[^\s,;|\"]*[^\0-\x7f][^\s,;|\"]*", content.decode(encoding))
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8":  # which no other text is by chance
            return "; it can be read as utf-8: say encoding='utf-8'"
        if word:
            found[encoding] = word[0][:_WORD]
    if not found:
        return ""
    words = ", ".join(f"{word!r} by {encoding}" for encoding, word in found.items())
    return f"; its first word with such letters is {words}: say encoding={next(iter(found))!r}, or whichever is right"


def _utf_16(content: bytes) -> str:
    """A hint at the encoding of which every other byte is often zero, if it may be this."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "; it begins as UTF-16 does: say encoding='utf-16'"
    if content.count(0) > len(content) / 5:
        return f"; it may be UTF-16: say encoding='utf-16-{'le' if content[0] else 'be'}'"
    return ""


def _other_delimiter(text: str, delimiter: str) -> str:
    """A hint at what the first line has between its columns, if it is not this."""
    first = text.split("\n", 1)[0]
    found = [each for each in ";\t|," if each != delimiter and each in first]
    return (
        f": the first line has {found[0]!r} in it; if that is between the columns, say delimiter={found[0]!r}"
        if (found)
        else ""
    )


def _table(path: PathLike, header: bool, delimiter: str, encoding: str) -> tuple[list[str], list[list[str]], list[int]]:
    """The names of the columns, the cells, and the line in which each row ends. Empty lines are passed over."""
    rows: list[list[str]] = []
    lines: list[int] = []
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise ValueError(f"delimiter={delimiter!r} must be one character between columns, such as ';' or a tab")
    text = _text(path, encoding)
    if "\0" in text:
        line, hint = text.count("\n", 0, text.index("\0")) + 1, _utf_16(text.encode(errors="replace"))
        raise ValueError(f"{path}, line {line}: a zero byte, so this is no text in {encoding}{hint}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        what = "a quote is not closed" if "end of data" in str(error) else str(error)
        raise ValueError(f"{path}, line {reader.line_num}: {what}") from None
    if not rows:
        raise ValueError(f"{path}, line 1: the file is empty")
    width = len(rows[0])
    if width == 1 and (hint := _other_delimiter(text, delimiter)):
        raise ValueError(f"{path}, line {lines[0]}: there is only one column by {delimiter!r}{hint}")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            hint = _other_delimiter(text, delimiter)
            raise ValueError(f"{path}, line {line}: {len(row)} columns, but {width} in line {lines[0]}{hint}")
    if not header:
        return [f"column {i}" for i in range(width)], rows, lines
    if all(_is_number(cell) for cell in rows[0]):
        raise ValueError(
            f"{path}, line {lines[0]}: the header is all numbers, as if it were data: "
            "if there is no header, say header=False"
        )
    if len(rows) == 1:
        raise ValueError(f"{path}, line {lines[0]}: nothing follows the header")
    return [name.strip() for name in rows[0]], rows[1:], lines[1:]


def _column(path: PathLike, names: list[str], label: str | int, header: bool) -> int:
    if isinstance(label, str) and label not in names and label.isascii() and label.removeprefix("-").isdecimal():
        label = int(label)
    if isinstance(label, str):
        if not header:
            raise ValueError(f"{path}: without a header the column {label!r} must be given by number")
        if names.count(label) != 1:
            found = "no column" if label not in names else "more than one column"
            raise ValueError(f"{path}: {found} is called {label!r}; there are {', '.join(map(repr, names))}")
        return names.index(label)
    if not -len(names) <= label < len(names):
        raise ValueError(f"{path}: no column {label}, there are {len(names)}")
    return label % len(names)


def _numbers(
    path: PathLike, rows: list[list[str]], lines: list[int], names: list[str], kept: list[int], dtype: npt.DTypeLike
) -> Array:
    try:
        inputs = np.array([[float(row[i]) for i in kept] for row in rows])
        bad = [k for k, row in enumerate(rows) if "_" in (joined := "".join(row)) or not joined.isascii()]
    except ValueError:
        bad = list(range(len(rows)))
    for k in bad:
        for i in kept:
            cell = rows[k][i]
            if not _is_number(cell):
                what = f"{cell!r} is no number" if cell.strip() else "the cell is empty"
                if _is_number(cell.replace(",", ".")):
                    what += ", since it has a decimal comma"
                raise ValueError(f"{path}, line {lines[k]}, column {names[i]!r}: {what}")
    with np.errstate(over="ignore"):
        inputs = inputs.reshape(len(rows), len(kept)).astype(dtype)
    if not np.isfinite(inputs).all():
        at, i = (int(k) for k in np.argwhere(~np.isfinite(inputs))[0])
        raise ValueError(
            f"{path}, line {lines[at]}, column {names[kept[i]]!r}: {rows[at][kept[i]]!r} is not finite "
            f"as {np.dtype(dtype)}; fill in or leave out such samples first"
        )
    return inputs


def _is_number(cell: str) -> bool:
    """Whether a cell has a number as files have it: `float` reads Python's 1_000 too, and digits of other scripts."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell and cell.strip().isascii()


def _by_number(name: str) -> tuple[int, int, str]:
    """Whole numbers by size, then texts by alphabet: "10" comes after "9"."""
    try:
        return (0, int(name), name) if _is_number(name) else (1, 0, name)
    except ValueError:
        return 1, 0, name


# --- IDX ------------------------------------------------------------------------------------------------------

_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: PathLike) -> Array:
    """An array in the IDX format, also compressed (.gz).

    Two zero bytes, one byte for the type, one for the number of axes, the lengths as big-endian 32-bit numbers, then
    the elements (https://yann.lecun.com/exdb/mnist/).

    Args:
        path: the file.

    Raises:
        ValueError: names the file and the byte where it is malformed, truncated, or goes on after its end.

    Example:
        >>> import pathlib, tempfile
        >>> import tinygrad_cls as tg
        >>> path = pathlib.Path(tempfile.mkdtemp(), "labels-idx1-ubyte")
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        >>> tg.data.read_idx(path)
        array([5, 0, 4], dtype=uint8)
    """
    with open(path, "rb") as file:
        start = file.read(2)
    try:
        with gzip.open(path, "rb") if start == b"\x1f\x8b" else open(path, "rb") as stream:
            return _idx(path, stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        size = os.path.getsize(path)
        raise ValueError(f"{path}: the compressed file is damaged or ends early, at byte {size}: {error}") from None


def _idx(path: PathLike, stream: Any) -> Array:
    head = stream.read(4)
    if len(head) < 4:
        raise ValueError(f"{path}: the file ends at byte {len(head)}, within the first four")
    if head[0] or head[1]:
        raise ValueError(f"{path}, byte 0: an IDX file starts with two zero bytes, not {head[:2].hex(' ')}")
    if head[2] not in _IDX_TYPES:
        known = ", ".join(f"{code:02x}" for code in _IDX_TYPES)
        raise ValueError(f"{path}, byte 2: the type {head[2]:02x} is none of {known}")
    ndim = head[3]
    if not 1 <= ndim <= 64:
        raise ValueError(f"{path}, byte 3: {ndim} axes; an IDX file has 1 to 64")
    lengths = stream.read(4 * ndim)
    if len(lengths) < 4 * ndim:
        raise ValueError(
            f"{path}: the file ends at byte {4 + len(lengths)}, before the end of the lengths of its {ndim} axes "
            f"(byte {4 + 4 * ndim})"
        )
    shape = tuple(int(n) for n in np.frombuffer(lengths, ">u4"))
    dtype = np.dtype(_IDX_TYPES[head[2]])
    expected = math.prod(shape) * dtype.itemsize
    begin = 4 + 4 * ndim
    # Counted before it is kept: a small compressed file, or a wrong length, must not fill the memory.
    length = 0
    while length <= expected and (piece := stream.read(min(expected + 1 - length, 1 << 20))):
        length += len(piece)
    if length < expected:
        raise ValueError(
            f"{path}: the file ends at byte {begin + length}, but shape {shape}, {dtype.newbyteorder('=')} "
            f"needs {begin + expected}"
        )
    if length > expected:
        raise ValueError(f"{path}, byte {begin + expected}: the file goes on after the end of shape {shape}")
    stream.seek(begin)
    content = bytearray(stream.read(expected))
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError as error:  # lengths that no array can have, next to one of 0
        raise ValueError(f"{path}, byte 4: shape {shape}: {error}") from None


def read_idx_dataset(images: PathLike, labels: PathLike, class_names: tuple[str, ...] | None = None) -> Dataset:
    """Images and their labels from two IDX files, such as those of MNIST.

    Args:
        images: bytes of shape (samples, rows, columns); they are scaled to 0..1.
        labels: class numbers of shape (samples,).
        class_names: by default the numbers.

    Raises:
        ValueError: as for `read_idx`, and when the shapes, types or lengths do not fit.
    """
    pixels, numbers = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(
            f"{images}: images must be bytes of shape (samples, rows, columns), "
            f"got shape {pixels.shape}, {pixels.dtype}"
        )
    if numbers.shape != pixels.shape[:1] or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise ValueError(
            f"{labels}: labels must be one class number for each of {len(pixels)} images, "
            f"got shape {numbers.shape}, {numbers.dtype}"
        )
    if class_names is None:
        class_names = tuple(str(i) for i in range(int(numbers.max()) + 1))
    inputs = (pixels.reshape(len(pixels), -1) / np.float32(255)).astype(np.float32)
    names = tuple(f"pixel {row},{column}" for row in range(pixels.shape[1]) for column in range(pixels.shape[2]))
    stem = os.path.basename(images).split(".")[0]
    return Dataset(inputs, numbers.astype(np.int64), class_names, names, (pixels.shape[1], pixels.shape[2]), stem)

"""Writing files so that an interruption or a full disk leaves the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PathLike = str | os.PathLike[str]


def write(path: PathLike, content: bytes) -> None:
    """Write a file beside `path` to the disk, then rename it, which the operating system does at once or not at all.

    What is no file, such as a pipe or /dev/null, is not replaced but written to.

    Args:
        path: the file; its folder must exist.
        content: all that shall be in it.

    Raises:
        OSError: when it cannot be written; an old file stays as it is.

    Example:
        >>> import pathlib, tempfile
        >>> from tinygrad_cls.files import write
        >>> path = pathlib.Path(tempfile.mkdtemp(), "note.txt")
        >>> write(path, b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            with open(path, "wb") as file:
                file.write(content)
        else:
            _replace(os.path.realpath(path), content)
    except OSError as error:  # which names the file beside it, or none
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _replace(path: str, content: bytes) -> None:
    folder, name = os.path.split(path)
    _sweep(folder, name)
    file = _new(folder, name)
    try:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()  # Windows renames no file that is open; elsewhere it stays locked until it has its name
        os.replace(file.name, path)
    except BaseException:
        with contextlib.suppress(OSError):  # closing writes what is left, and fails as the first time
            file.close()
        if os.path.exists(file.name):
            os.unlink(file.name)
        raise
    finally:
        file.close()
    if os.name == "posix":  # the new name shall outlive a power failure too
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _new(folder: str, name: str) -> BinaryIO:
    """A temporary file, locked as long as it is open."""
    while True:
        file = open(os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp"), "xb")  # noqa: SIM115 (for the caller)
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is swept either
            _lock(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another writer has swept it before it was locked


def _sweep(folder: str, name: str) -> None:
    """Remove what writers of this file left that were killed: nobody holds the lock of it any more."""
    for left in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.{'[0-9a-f]' * 16}.tmp")):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            _lock(file, wait=False)
            os.unlink(left)


def _lock(file: BinaryIO, wait: bool) -> None:
    """Hold a file until it is closed. On Windows a file that is open cannot be removed in any case.

    Raises:
        OSError: when another process holds it, unless this one is to wait.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

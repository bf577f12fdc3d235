"""Saving when things go wrong: killed, without room, without permission, two at once. No checkpoint is half written."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pytest

import tinygrad_cls as tg

pytest.importorskip("safetensors")
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # the children use no threads
]

SIZE = 200_000  # elements: writing them takes longer than all the rest


def save(path, n):
    model = tg.nn.Module()
    model.x = tg.Tensor(np.full(SIZE, float(n)))
    tg.save(path, model=model, metadata={"n": n})


def whole(path):
    """The number that a checkpoint was written with, every element of it looked at."""
    checkpoint = tg.load(path)
    assert (checkpoint.tensors["model.x"] == checkpoint.metadata["n"]).all()
    return checkpoint.metadata["n"]


def forked(work):
    """A process of its own that does the work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of JAX, where another test has used it: nothing here does
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def saving_on_and_on(path, first, begun):
    os.write(begun, b"!")
    n = first
    while True:
        save(path, n)
        n += 1


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_after_many_kills_a_whole_checkpoint_is_there_and_the_next_save_sweeps(kills, tmp_path):
    path, chance, seen, left = tmp_path / "x.safetensors", random.Random(0), set(), 0
    start = time.perf_counter()
    save(path, 0)
    one = time.perf_counter() - start
    told, begun = os.pipe()
    for k in range(50 * kills):  # as many more as it takes until somebody was killed while writing
        if k >= kills and len(seen) > kills // 20 and left > kills // 20:
            break
        child = forked(lambda: saving_on_and_on(path, 1000 * k, begun))  # noqa: B023 (called at once)
        os.read(told, 1)
        time.sleep(chance.uniform(0, 3 * one))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen.add(whole(path))
        litter = [name for name in os.listdir(tmp_path) if name != path.name]
        assert len(litter) <= 1  # what this one left: it had swept up after the one before
        left += len(litter)
    assert len(seen) > kills // 20
    assert left > kills // 20
    save(path, -1)
    assert os.listdir(tmp_path) == [path.name]


def test_two_writers_and_a_reader(tmp_path):
    path = tmp_path / "x.safetensors"
    save(path, 0)

    def writing(first):
        for n in range(first, first + 30):
            save(path, n)

    children, seen = [forked(lambda: writing(1)), forked(lambda: writing(1000))], set()
    while children:
        seen.add(whole(path))
        for child in list(children):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                assert status == 0
                children.remove(child)
    assert whole(path) in (30, 1029)
    assert len(seen) > 2
    assert os.listdir(tmp_path) == [path.name]


NO_ROOM = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from test_saving import save, whole
save(sys.argv[1], 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
for _ in range(3):
    try:
        save(sys.argv[1], 2)
    except OSError as error:
        print(error.errno, error.filename)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(whole(sys.argv[1]))
save(sys.argv[1], 3)
"""


def test_without_room_the_old_file_stays_and_nothing_is_left(tmp_path):
    """The operating system itself stops the writing in the middle, as a full disk does."""
    path = tmp_path / "x.safetensors"
    command = [sys.executable, "-c", NO_ROOM, str(path), os.path.dirname(__file__)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{errno.EFBIG} {path}\n" * 3 + "1\n"
    assert whole(path) == 3
    assert os.listdir(tmp_path) == [path.name]


def test_fit_without_room_leaves_the_last_checkpoint_and_a_good_model(tmp_path, monkeypatch):
    iris, replace = tg.data.load_iris(), os.replace

    def fitted(**options):
        model = tg.nn.Linear(4, 3, generator=np.random.default_rng(0))
        batches = tg.data.batches(iris.inputs, iris.labels, batch_size=50, shuffle=True, generator=0)
        optimiser = tg.optim.SGD(model.parameters(), lr=0.01)
        with contextlib.suppress(OSError):
            tg.fit(model, batches, optimiser=optimiser, **options)
        return model.state_dict()

    writes = []

    def full(source, target):
        writes.append(target)
        if len(writes) > 6:  # one at the start, then two in each epoch
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    expected = fitted(epochs=5)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        fitted(epochs=5, folder=tmp_path)
    assert len(writes) == 7
    assert sorted(os.listdir(tmp_path)) == ["best.safetensors", "last.safetensors"]
    assert len(tg.load(tmp_path / "last.safetensors").metadata["history"]["loss"]) == 2
    resumed = fitted(epochs=5, folder=tmp_path, resume=True)
    for name, values in expected.items():
        np.testing.assert_array_equal(resumed[name], values)


@contextlib.contextmanager
def nobody():
    """As a user without rights: root may write to what is read-only."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_may_only_be_read(capsys):
    from tinygrad_cls.cli import main

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        path, data = os.path.join(folder, "x.safetensors"), os.path.join(folder, "x.csv")
        with open(data, "w", encoding="utf-8") as file:
            file.write("x,y\n" + "1,a\n2,b\n" * 20)
        words = ["train", data, "--label", "y", "--epochs", "1", "--output"]
        assert main([*words, os.path.join(other, "run")]) == 0  # and all is imported, which nobody else may do
        os.chmod(data, 0o644)
        save(path, 1)
        os.chmod(path, 0o644)
        os.chmod(folder, 0o555)
        try:
            with nobody():
                with pytest.raises(PermissionError, match=r"Permission denied: .*x\.safetensors'"):
                    save(path, 2)
                assert whole(path) == 1
                assert main([*words, os.path.join(folder, "run")]) == 1
        finally:
            os.chmod(folder, 0o755)
        assert sorted(os.listdir(folder)) == ["x.csv", "x.safetensors"]
    errors = capsys.readouterr().err
    assert errors.startswith("tinygrad-cls: ")
    assert f"Permission denied: '{folder}/run'" in errors

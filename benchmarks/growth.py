"""How our cost grows: with depth, width and batch; of importing, drawing, explaining; memory over many steps."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import peers

import tinygrad_cls as tg


def seconds(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def chain(length):
    """Seconds of the forward and the backward pass through a chain of operations on one number."""
    x = tg.Tensor(1.0, requires_grad=True)

    def forward():
        y = x
        for _ in range(length):
            y = y + 1.0
        return y

    y = forward()
    repeats = 5 if length < 100_000 else 3
    return {
        "operations": length,
        "forward_s": seconds(forward, repeats),
        "backward_s": seconds(lambda: y.backward(retain_graph=True), repeats),
    }


def step(sizes, batch, repeats):
    return seconds(peers.eager(*peers.problem(sizes, batch))[0], repeats)


def reader(read, length):
    x = tg.Tensor(np.ones(3), requires_grad=True, name="x")
    y = x
    for _ in range(length):
        y = tg.exp(y * 0.1)
    loss = y.sum()
    return {"operations": 2 * length + 1, "s": seconds(lambda: read(loss, x), 1)}


def compiling(layers):
    """Seconds of the second watched call of a compiled step, less one call: watching, and making the program."""
    sizes = [64] * layers + [10]
    step, x, labels = peers._ours(*peers.problem(sizes, 64))
    program = tg.compile(step)
    program(x, labels)
    return {"layers": layers, "s": seconds(lambda: program(x, labels), 1) - seconds(lambda: program(x, labels), 5)}


def measure(quick=False):
    run = peers.eager(*peers.problem([64, 10], 64))[0]
    memory = {}
    for steps in (100, 1000) if quick else (1000, 10_000):
        for _ in range(steps - max(memory, default=0)):
            run()
        memory[steps] = peers.memory("VmRSS")
    lengths = (1, 10) if quick else (1, 10, 50)
    sizes = (16, 64, 256) if quick else (16, 64, 256, 1024, 4096)
    command = [sys.executable, "-c", "import tinygrad_cls"]
    return {
        "depth": [chain(10**n) for n in range(1, 4 if quick else 7)],
        "width": [{"width": n, "s": step([64, n, 10], 64, 20)} for n in sizes],
        "batch": [{"batch": n, "s": step([64, 128, 10], n, 20)} for n in sizes],
        "draw": [reader(lambda loss, x: tg.draw(loss).svg, n) for n in lengths],
        "explain": [reader(lambda loss, x: str(tg.explain(loss, x)), n) for n in lengths],
        "compile": [compiling(n) for n in ((1, 2) if quick else (1, 2, 4, 8))],
        "import_s": seconds(lambda: subprocess.run(command, check=True), 3),
        "memory_MB": memory,
    }

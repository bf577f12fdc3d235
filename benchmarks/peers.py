"""One training step, written for each peer: the same network, data, loss and plain SGD.

As a program it is a worker: `python peers.py PEER SIZES BATCH`. It prints what it is as a line of JSON, then for each
number of steps that it reads it runs them and prints the seconds they took.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from pathlib import Path

import numpy as np

RATE = 0.1


def problem(sizes, batch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    labels = rng.integers(0, sizes[-1], batch)
    weights = [(rng.normal(size=(n, m)) / n**0.5).astype(np.float32) for n, m in zip(sizes, sizes[1:])]
    biases = [np.zeros(m, np.float32) for m in sizes[1:]]
    return x, labels, weights, biases


def hand(x, labels, weights, biases):
    """As one writes it from the book, with the y′ − y that this project derives."""
    rows, rate = np.arange(len(x)), np.float32(RATE)

    def step():
        hidden = [x]
        for w, b in zip(weights[:-1], biases[:-1]):
            hidden.append(np.maximum(hidden[-1] @ w + b, 0))
        z = hidden[-1] @ weights[-1] + biases[-1]
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[rows, labels]).mean()
        g = e / total
        g[rows, labels] -= 1
        g /= len(x)
        for i in reversed(range(len(weights))):
            gw, gb = hidden[i].T @ g, g.sum(axis=0)
            if i:
                g = (g @ weights[i].T) * (hidden[i] > 0)
            weights[i] -= rate * gw
            biases[i] -= rate * gb
        return loss

    return step, "numpy"


def _ours(x, labels, weights, biases):
    import tinygrad_cls as tg

    layers = []
    for w, b in zip(weights, biases):
        layers += [tg.nn.Linear(*w.shape), tg.nn.ReLU()]
        layers[-2].load_state_dict({"weight": w, "bias": b})
    model = tg.nn.Sequential(*layers[:-1])
    optimiser = tg.optim.SGD(model.parameters(), lr=RATE)

    def step(x, labels):
        optimiser.zero_grad()
        loss = tg.cross_entropy(model(x), labels)
        loss.backward()
        optimiser.step()
        return loss

    return step, tg.Tensor(x), tg.Tensor(labels)


def eager(*problem):
    step, x, labels = _ours(*problem)
    return (lambda: step(x, labels)), "tinygrad_cls"


def compiled(*problem, engine="numpy"):
    import tinygrad_cls as tg

    step, x, labels = _ours(*problem)
    program = tg.compile(step, engine=engine)
    if engine == "jax":
        return (lambda: program(x, labels).item()), "tinygrad_cls"  # waits for the device
    return (lambda: program(x, labels)), "tinygrad_cls"


def compiled_by_numba(*problem):
    return compiled(*problem, engine="numba")


def compiled_by_jax(*problem):
    return compiled(*problem, engine="jax")


def torch_eager(x, labels, weights, biases, wrap=lambda f: f):
    import torch

    layers = []
    for w, b in zip(weights, biases):
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    x, labels = torch.tensor(x), torch.tensor(labels)
    forward = wrap(lambda: torch.nn.functional.cross_entropy(model(x), labels))

    def step():
        optimiser.zero_grad()
        loss = forward()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step, "torch"


def torch_compile(*problem):
    import torch

    return torch_eager(*problem, wrap=torch.compile)


def jax_jit(x, labels, weights, biases):
    import jax
    import jax.numpy as jnp

    def loss(parameters, x, labels):
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        scores = jax.nn.log_softmax(x @ w + b)
        return -scores[jnp.arange(len(x)), labels].mean()

    @jax.jit
    def update(parameters, x, labels):
        value, gradients = jax.value_and_grad(loss)(parameters, x, labels)
        return value, jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients)

    parameters = [(jnp.array(w), jnp.array(b)) for w, b in zip(weights, biases)]
    x, labels = jnp.array(x), jnp.array(labels)

    def step():
        nonlocal parameters
        value, parameters = update(parameters, x, labels)
        return value.block_until_ready()

    return step, "jax"


def mygrad(x, labels, weights, biases):
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    weights, biases = [mg.tensor(w) for w in weights], [mg.tensor(b) for b in biases]
    rate = np.float32(RATE)

    def step():
        h = x
        for w, b in zip(weights[:-1], biases[:-1]):
            h = relu(mg.matmul(h, w) + b)
        loss = softmax_crossentropy(mg.matmul(h, weights[-1]) + biases[-1], labels)
        loss.backward()
        for p in weights + biases:
            p.data -= rate * p.grad
        return loss

    return step, "mygrad"


def autograd(x, labels, weights, biases):
    import autograd.numpy as anp
    from autograd import value_and_grad

    rows, rate = np.arange(len(x)), np.float32(RATE)

    def loss(parameters):
        h = x
        for w, b in parameters[:-1]:
            h = anp.maximum(anp.dot(h, w) + b, 0)
        w, b = parameters[-1]
        z = anp.dot(h, w) + b
        z = z - anp.max(z, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - z[rows, labels])

    parameters = list(zip(weights, biases))
    gradient = value_and_grad(loss)

    def step():
        value, gradients = gradient(parameters)
        for (w, b), (gw, gb) in zip(parameters, gradients):
            w -= rate * gw
            b -= rate * gb
        return value

    return step, "autograd"


PEERS = {
    "hand-written NumPy": hand,
    "ours, eager": eager,
    "ours, compiled": compiled,
    "ours, numba": compiled_by_numba,
    "ours, jax": compiled_by_jax,
    "PyTorch": torch_eager,
    "torch.compile": torch_compile,
    "JAX jit": jax_jit,
    "MyGrad": mygrad,
    "autograd": autograd,
}


def memory(field):
    """VmRSS (now) or VmHWM (at most) of this process in MB, where Linux tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return (
        int(next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(field)).split()[1])
        / 1024
    )


def main():
    name, sizes, batch = sys.argv[1], [int(n) for n in sys.argv[2].split("-")], int(sys.argv[3])
    try:
        PEERS[name](*problem([2, 2], 2))[0]()  # imports are no part of the memory of a step
        before = memory("VmRSS")
        if before:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        step, package = PEERS[name](*problem(sizes, batch))
        losses = [float(step()) for _ in range(3)]
    except (ImportError, RuntimeError) as error:  # not installed, or without the C++ compiler that it needs
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    peak = memory("VmHWM") - before if before else None
    version = importlib.metadata.version(package)
    threads = {"threads": threads_of(package), "blas": blas_kernels()}
    print(json.dumps({"losses": losses, "package": package, "version": version, "peak_MB": peak} | threads), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, flush=True)


def blas_kernels():
    """The kernel that each OpenBLAS of this process chose for the processor."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return sorted({info["architecture"] for info in threadpool_info() if info.get("architecture")})


def threads_of(package):
    """How many threads the peer uses at its own defaults; for JAX and BLAS, all processors."""
    if package == "torch":
        import torch

        return torch.get_num_threads()
    import os

    return os.cpu_count()


if __name__ == "__main__":
    main()

"""Time one training step against the peers: `pip install -e ".[benchmarks]" && python benchmarks/run.py`.

Each peer is a process of its own, with its own default number of threads. They take turns, with a pause after each
turn so that spinning threads settle; the figures are medians over the rounds, with the quartiles.
Writes `results.json` and `steps.svg` next to this file (`--output` for another folder).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import growth
import numpy as np
from peers import PEERS

ROWS = [
    ("4-16-3", 32),
    ("64-10", 64),
    ("64-128-10", 64),
    ("784-256-128-10", 128),
    ("784-1024-1024-10", 512),
]
GROWTH = {
    "depth": "operations: forward + backward",
    "width": "step of a network of width",
    "batch": "step with a batch of",
    "draw": "draw a graph of operations",
    "explain": "explain a loss of operations",
    "compile": "compile a step, layers",
}
# Okabe and Ito's colours, which all eyes tell apart; the shapes do, too.
MARKS = ["k|", "o", "D", "*", "p", "s", "P", "^", "v", "X"]
COLOURS = ["#000000", "#D55E00", "#E69F00", "#B8860B", "#8B4513", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#999999"]
FIRST = """
import sys, time
sys.path.insert(0, sys.argv[1])
import peers
if sys.argv[2] == "numba":
    import numba
    import scipy.linalg
if sys.argv[2] == "jax":
    import jax
step, _ = peers.compiled(*peers.problem([64, 128, 10], 64), engine=sys.argv[2])
step(), step()
start = time.perf_counter()
step()
print(time.perf_counter() - start)
"""


class Worker:
    def __init__(self, peer, sizes, batch):
        command = [sys.executable, str(Path(__file__).with_name("peers.py")), peer, sizes, str(batch)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{peer} failed at {sizes}")
        self.about = json.loads(line)

    def seconds(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline()) / steps

    def close(self):
        self.process.communicate()


def time_row(sizes, batch, peers, rounds, turn, pause):
    """Seconds per step of each peer at one row of the table, after a check that all have the same losses."""
    workers = {peer: Worker(peer, sizes, batch) for peer in peers}
    missing = {peer: worker.about["missing"] for peer, worker in workers.items() if "missing" in worker.about}
    here = {peer: worker for peer, worker in workers.items() if peer not in missing}
    first = next(iter(here.values())).about["losses"]
    for peer, worker in here.items():
        np.testing.assert_allclose(worker.about["losses"], first, rtol=1e-3, err_msg=f"{peer} does other work")
    steps = {}
    for peer, worker in here.items():
        worker.seconds(40)  # until what compiles has settled
        steps[peer] = max(1, round(turn / worker.seconds(3)))
    times = {peer: [] for peer in here}
    for _ in range(rounds):
        for peer, worker in here.items():
            times[peer].append(worker.seconds(steps[peer]))
            time.sleep(pause)
    for worker in workers.values():
        worker.close()
    results = {}
    for peer, worker in here.items():
        low, median, high = np.quantile(times[peer], [0.25, 0.5, 0.75]) * 1e6
        ratio = statistics.median(t / h for t, h in zip(times[peer], next(iter(times.values()))))
        results[peer] = {"us": median, "quartiles_us": [low, high], "ratio": ratio, **worker.about}
    return {"sizes": sizes, "batch": batch, "peers": results, "missing": missing}


def first_calls(engine):
    """Seconds of the third call of the 64-128-10 step, which compiles: in a first process, and in a later one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", FIRST, str(Path(__file__).parent), engine]
        runs = [
            subprocess.run(command, env={**os.environ, "TINYGRAD_CLS_CACHE": folder}, capture_output=True, text=True)
            for _ in range(2)
        ]
    return [float(run.stdout) if run.returncode == 0 else None for run in runs]


def processor():
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text(encoding="utf-8").splitlines() if "model name" in line]
        if info.exists()
        else [platform.processor()]
    )
    return f"{names[0]}, {os.cpu_count()} processors"


def table(rows):
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    lines = ["| layers, batch | " + " | ".join(peers) + " |", "| --- |" + " ---: |" * len(peers)]
    for row in rows:
        cells = [f"{p['us']:,.4g} ({p['ratio']:.2f})" if (p := row["peers"].get(peer)) else "" for peer in peers]
        lines.append(f"| {row['sizes']}, {row['batch']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def grown(results):
    """How the cost grows, a line each: the size, then the time."""
    lines = []
    for name, what in GROWTH.items():
        points = []
        for point in results[name]:
            size, *times = point.values()
            points.append(f"{size:,}: {' + '.join(map(readable, times))}")
        lines.append(f"{what:32} {'   '.join(points)}")
    memory = "   ".join(f"{int(steps):,}: {size:.1f} MB" for steps, size in results["memory_MB"].items())
    lines += [f"{'memory after so many steps':32} {memory}", f"{'import':32} {readable(results['import_s'])}"]
    return "\n".join(lines) + "\n"


def readable(seconds):
    """A time with two digits in a unit that suits it."""
    units = {"s": 1, "ms": 1e3, "µs": 1e6}
    unit = next((unit for unit, factor in units.items() if seconds * factor >= 1), "µs")
    return f"{float(f'{seconds * units[unit]:.2g}'):g} {unit}"


def chart(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for i, peer in enumerate(PEERS):
        apart = 0.38 - 0.08 * i  # so that no mark hides another
        points = [(row["peers"][peer]["ratio"], apart - at) for at, row in enumerate(rows) if peer in row["peers"]]
        if points and i:
            x, y = zip(*points)
            axes.plot(x, y, MARKS[i], color=COLOURS[i], markersize=9, markeredgecolor="white", label=peer)
    axes.axvline(1, color="black", linewidth=1)
    axes.annotate("hand-written NumPy", (1, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    axes.set_xscale("log")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{t:g}×" for t in ticks])
    axes.minorticks_off()
    axes.set_xlim(0.1, max(30, 1.3 * max(peer["ratio"] for row in rows for peer in row["peers"].values())))
    axes.set_yticks([-at for at in range(len(rows))], [f"{row['sizes']}, {row['batch']}" for row in rows])
    axes.set_xlabel("time of a training step, relative")
    axes.grid(axis="x", alpha=0.3)
    for at in range(1, len(rows)):
        axes.axhline(0.5 - at, color="black", linewidth=0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rows, few rounds: a check that all works")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=None)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    for name in sorted(name for name in os.environ if name.startswith("OPENBLAS_")):
        print(f"warning: {name}={os.environ[name]} is set, and figures are those of it", file=sys.stderr)
    peers = options.peers or [peer for peer in PEERS if not (options.quick and peer == "torch.compile")]
    if peers[0] != next(iter(PEERS)):
        peers = [next(iter(PEERS)), *(peer for peer in peers if peer != next(iter(PEERS)))]
    pace = {"rounds": 2, "turn": 0.005, "pause": 0.0} if options.quick else {"rounds": 15, "turn": 0.05, "pause": 0.3}

    rows = []
    for sizes, batch in ROWS[:2] if options.quick else ROWS:
        rows.append(time_row(sizes, batch, peers, **pace))
        print(f"{sizes}, {batch} done", file=sys.stderr, flush=True)
    results = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "first_call_s": {engine: first_calls(engine) for engine in ("numpy", "numba", "jax")},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "rows": rows,
        **growth.measure(options.quick),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    chart(rows, options.output / "steps.svg")
    print(f"{results['processor']}; Python {results['python']}; {results['date']}\nµs a step (ratio to the first)\n")
    print(table(rows))
    print("\n" + grown(results))
    for engine, (cold, kept) in results["first_call_s"].items():
        if cold is not None and kept is not None:
            print(f"compiling 64-128-10 by {engine}: {readable(cold)}, in a later process {readable(kept)}")
    for peer, about in rows[-1]["peers"].items():
        peak = f", peak {about['peak_MB']:.0f} MB" if about["peak_MB"] else ""
        kernels = f"; BLAS: {', '.join(about['blas'])}" if about["blas"] else ""
        print(f"{peer}: {about['package']} {about['version']}, {about['threads']} threads{peak}{kernels}")
    for peer, why in rows[-1]["missing"].items():
        print(f"{peer}: left out: {why}")


if __name__ == "__main__":
    main()

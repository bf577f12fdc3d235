"""The benchmark runs, all peers do the same work, and its results are complete. No time limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


@pytest.mark.slow
def test_the_quick_benchmark_compares_equal_work_and_writes_everything(tmp_path: Path) -> None:
    peers = ["hand-written NumPy", "ours, eager", "ours, compiled", "autograd"]
    command = [sys.executable, str(RUN), "--quick", "--output", str(tmp_path), "--peers", *peers]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "| 64-10, 64 |" in printed
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {"date", "processor", "python", "numpy", "rows", "depth", "width", "batch", "import_s"} <= results.keys()
    assert {"draw", "explain", "compile", "memory_MB"} <= results.keys()
    for row in results["rows"]:
        assert list(row["peers"]) == peers
        for peer in row["peers"].values():
            assert peer["us"] > 0
            assert peer["version"]
            assert peer["threads"] >= 1
            np.testing.assert_allclose(peer["losses"], row["peers"][peers[0]]["losses"], rtol=1e-3)
    assert (tmp_path / "steps.svg").stat().st_size > 1000

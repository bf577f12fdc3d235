"""What the scripts of the course share: options, and figures that can be read at the back of a hall.

A script saves its figures; the same text run as a notebook shows them as well.
"""

import argparse
import os
import sys
import textwrap
from pathlib import Path

import matplotlib

if "MPLBACKEND" not in os.environ:  # a notebook sets its own
    matplotlib.use("Agg")
import matplotlib.pyplot as plt

if hasattr(sys.stdout, "reconfigure"):  # ′ and ± also where the system writes files in another encoding
    sys.stdout.reconfigure(encoding="utf-8")

IN_NOTEBOOK = "ipykernel" in sys.modules

# The colours of Okabe and Ito, which colour-blind people tell apart. Their greys are close to each other, so lines
# differ in dashes as well, points in shape, and bars in hatching.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
BLACK, GREY = "#000000", "#777777"

plt.rcParams.update(
    {
        "figure.figsize": (14, 7),
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.wspace": 0.06,
        "savefig.dpi": 100,
        "font.size": 19,
        "axes.titlesize": 21,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "lines.linewidth": 3.5,
        "lines.markersize": 10,
        "hatch.linewidth": 1.5,
    }
)


def options(name: str, description: str, **extra: tuple[int, str]) -> argparse.Namespace:
    """The options of a script: `output`, and whole numbers given as `name=(default, help)`.

    In a notebook they have their defaults. The folder for the figures is created.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("course"), help="folder for the figures")
    for option, (default, text) in extra.items():
        parser.add_argument(f"--{option}", type=int, default=default, help=text)
    chosen = parser.parse_args([] if IN_NOTEBOOK else None)
    chosen.output = chosen.output / name
    chosen.output.mkdir(parents=True, exist_ok=True)
    return chosen


def say(text: str) -> None:
    """Print a sentence over as many lines as it needs."""
    print(textwrap.fill(text, 110))


def save(picture, path: Path) -> None:
    """Save a figure or a drawing, and show it where there is a notebook."""
    if IN_NOTEBOOK:
        from IPython.display import display

        display(picture)
    if isinstance(picture, plt.Figure):
        picture.savefig(path)
        plt.close(picture)
    else:
        picture.save(path)
    print(f"Figure: {path}")

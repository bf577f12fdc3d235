"""Build the scripts of the course as notebooks, run them, and keep what they print and draw.

    pip install "tinygrad_cls[notebooks]" && python examples/notebooks.py

The scripts are notebooks already, kept as text (jupytext's percent format): there is no second copy to fall behind.
"""

import argparse
import shutil
from pathlib import Path

import jupytext
import nbclient
import nbformat

HERE = Path(__file__).resolve().parent
COURSE = sorted(HERE.glob("[0-9]_*.py"))


def build(script: Path, folder: Path) -> Path:
    """The executed notebook of a script. A cell that fails raises."""
    notebook = jupytext.read(script)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "course_style.py", folder)
    nbclient.NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(folder)}}).execute()
    path = folder / f"{script.stem}.ipynb"
    nbformat.write(notebook, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", help="which ones, such as 1 4; by default all")
    parser.add_argument("--output", type=Path, default=Path("notebooks"), help="folder for the notebooks")
    options = parser.parse_args()
    for script in COURSE:
        if not options.numbers or script.stem[0] in options.numbers:
            print(build(script, options.output.resolve()))


if __name__ == "__main__":
    main()

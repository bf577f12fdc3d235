"""Makes what the documents show of the page: a page that opens by itself, and two pictures of it.

    python docs/pictures.py

It needs Chromium for the pictures. They and the page stand beside this file: page.html, page.png (the question and its
answer) and touch.png (sure and wrong: one gradient has died, the other has not, and the way down for both).
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import tinygrad_cls as tg
from tinygrad_cls.explanation.derivation import Derivation

HERE = Path(__file__).parent
_WRONG = "document.querySelector('.touch').open = true; document.querySelector('[name=wrong]').click();"
PICTURES = {  # by name: where in the page, what is done there, how wide and high
    "page": ("", "document.querySelector('[name=all]').click();", (1000, 700)),
    "touch": ("", _WRONG, (1400, 900)),
}


def derivation() -> Derivation:
    """Cross-entropy of softmax; the page puts squared error beside it."""
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return tg.explain(-(y * tg.log(p)).sum(), z, names={"y": y, "y′": p})


def picture(page: Path, where: str, script: str, size: tuple[int, int], path: Path) -> None:
    """Open a page in Chromium, do something there, and take a picture.

    Args:
        page: the file.
        where: what stands after it in the address.
        script: what to do there.
        size: width and height of the window.
        path: where the picture goes.
    """
    program = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if program is None:
        raise SystemExit("the pictures need Chromium: install chromium or google-chrome")
    script = f'addEventListener("load", () => setTimeout(() => {{ {script} }}, 100));'
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{known}' ", 1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(text.replace("<title>", f"<script>{script}</script><title>", 1), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"]
        options += [f"--window-size={size[0]},{size[1]}", f"--user-data-dir={folder}/user", f"--screenshot={path}"]
        subprocess.run([program, *options, copy.as_uri() + where], check=True, capture_output=True, timeout=120)


def main() -> None:
    """Write the page and the pictures, and say how large they are."""
    page = HERE / "page.html"
    derivation().save(page)
    written = [page]
    for name, (where, script, size) in PICTURES.items():
        written.append(HERE / f"{name}.png")
        picture(page, where, script, size, written[-1])
    for path in written:
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

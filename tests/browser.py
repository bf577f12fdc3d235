"""Pages in Chromium, for tests. A look at a page fails where the page logs an error, breaks its own policy, or asks for
anything but itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

HELPERS = """
const soon = (milliseconds = 30) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const all = (selector) => [...document.querySelectorAll(selector)];
const seen = (selector) => all(selector).filter((node) => node.checkVisibility()).length;
const moved = async (act) => { /* until the page is where an act leads, which may be another part of the history */
  const before = location.href;
  act();
  for (let i = 0; i < 100 && location.href === before; i += 1) await soon(10);
  await soon(0);
};
const key = (name, more = {}, target = document.body) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
"""
"""What scripts of tests may use; see `Browser.found`."""


class Browser:
    """Chromium, and what tests do with it. `chromium` is Playwright's."""

    def __init__(self, chromium: Any) -> None:
        self.chromium = chromium

    @contextmanager
    def opened(
        self, path: Path, where: str = "", *, dark: bool = False, calm: bool = False, **more: Any
    ) -> Iterator[Any]:
        """Playwright's page for a file, closed in the end.

        Args:
            path: the file.
            where: what stands after it in the address, such as "#step-2".
            dark: whether the reader likes dark pages.
            calm: whether the reader asks for no motion.
            more: `width` and `height` of the window, and Playwright's options for a context, such as `has_touch`.
        """
        size = {"width": more.pop("width", 1280), "height": more.pop("height", 800)}
        context = self.chromium.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if calm else "no-preference",
            **more,
        )
        try:
            page = context.new_page()
            page.set_default_timeout(20_000)
            address, errors, asked = path.resolve().as_uri(), [], []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
            page.on(
                "request", lambda one: asked.append(one.url) if one.url.split("?")[0].split("#")[0] != address else None
            )
            page.goto(address + where)
            yield page
            assert errors == []
            assert asked == []
        finally:
            context.close()

    def found(self, path: Path, script: str, where: str = "", **more: Any) -> Any:
        """What a script returns, run in a page.

        Args:
            path: the file.
            script: the body of an asynchronous function.
            where: what stands after it in the address.
            more: as for `opened`.
        """
        with self.opened(path, where, **more) as page:
            return page.evaluate(f"async () => {{ {HELPERS} {script} }}")

    def violations(self, page: Any) -> list[list[str]]:
        """What axe-core finds wrong for people who see little or use no mouse: each rule, and where it is broken."""
        axe = pytest.importorskip("axe_core_python")
        page.evaluate(resources.files(axe).joinpath("axe.min.js").read_text("utf-8"))
        broken: list[list[str]] = page.evaluate(
            """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(({ id, nodes }) =>
              [id, ...nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])"""
        )
        return broken


@contextmanager
def started() -> Iterator[Browser]:
    """Chromium while it runs. Without it, or without Playwright, tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    options = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        chromium = running.chromium.launch(executable_path=program, args=options, downloads_path=folder)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()

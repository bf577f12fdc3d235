"""A page in Chromium, for tests: what it does with its own script, and what a script of the test finds there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from html import unescape
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--virtual-time-budget=20000",
)
_WATCH = """
const answer = { errors: [], loaded: [] };
addEventListener("error", (event) => answer.errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => answer.errors.push("refused: " + event.violatedDirective));
const soon = (milliseconds = 50) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const all = (selector) => [...document.querySelectorAll(selector)];
const seen = (selector) => all(selector).filter((node) => node.checkVisibility()).length;
const key = (name, more = {}, target = document.body) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
addEventListener("load", async () => {
  await soon(); // before the end of loading a new address replaces the one before
  try { answer.found = await (async () => { %s })(); } catch (error) { answer.errors.push(String(error)); }
  answer.loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  document.body.dataset.answer = JSON.stringify(answer);
});
"""


def chromium(page: Path, where: str, *options: str) -> str:
    """What Chromium prints, told to do something with a page.

    Args:
        page: the file.
        where: what stands after it in the address, such as "#step-2".
        options: what to do.
    """
    program = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, *_OPTIONS, f"--user-data-dir={folder}", *options, page.resolve().as_uri() + where]
        run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def dom(page: Path, where: str = "", *options: str) -> str:
    """The document as it stands after the page's script has run, as HTML."""
    return chromium(page, where, "--dump-dom", *options)


def violations(page: Path, script: str, where: str = "", *options: str) -> list[list[str]]:
    """What axe-core finds wrong for people who do not see, or do not use a mouse: each rule, and where it is broken.

    Args:
        page: the file.
        script: what to do first.
        where: what stands after it in the address.
        options: more options for Chromium.
    """
    pytest.importorskip("axe_core_python")
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    script += """;
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]);
    """
    broken: list[list[str]] = found(page, script, where, *options, before=axe)
    return broken


def found(page: Path, script: str, where: str = "", *options: str, before: str = "") -> Any:
    """What a script of the test returns, run in a copy of the page whose policy lets this one script in as well.

    Args:
        page: the file.
        script: the body of an asynchronous function.
        where: what stands after it in the address.
        options: more options for Chromium.
        before: a library that it uses.
    """
    watch = before + _WATCH.replace("%s", script)
    known = f"script-src 'sha256-{base64.b64encode(hashlib.sha256(watch.encode()).digest()).decode()}' "
    text = page.read_text(encoding="utf-8")
    assert text.count("script-src ") == 1
    copy = page.with_name(f"tested_{page.name}")
    text = text.replace("script-src ", known).replace("<title>", f"<script>{watch}</script><title>", 1)
    copy.write_text(text, encoding="utf-8")
    written = re.search(r'data-answer="([^"]*)"', dom(copy, where, *options))
    assert written is not None, "the test's own script did not end"
    answer = json.loads(unescape(written[1]))
    assert answer["errors"] == []
    assert answer["loaded"] == []
    return answer["found"]

"""Measures the catalogue of many runs, as a user waits: `tsnlab results`, `tsnlab index`, index.html in Chromium.

python -m tests.bench.catalogue [--runs N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tsnlab.folder import RunFolder
from tsnlab.run import run

TIMES = 3


def best(what: Callable[[], Any]) -> float:
    """The shortest of several times."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        what()
        seconds.append(time.monotonic() - began)
    return min(seconds)


def fill(results: Path, model: Path, runs: int) -> None:
    """Makes runs like one that was really made, with parameters of their own."""
    content = RunFolder(model).read()
    for number in range(runs):
        folder = results / f"{content['case']}-20250131T120000Z-{number:06x}"
        folder.mkdir(parents=True)
        own = {**content, "run": folder.name, "parameters": {**content["parameters"], "seed": number}}
        (folder / "run.json").write_text(json.dumps(own, indent=1))
    # the latest stands at the top of the index, with its figures and packets
    shutil.copytree(model, results / model.name)


def opened(page: Path) -> float:
    """How long Chromium takes to load a page and search it."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program) as browser,
        browser.new_context(offline=True) as context,
    ):

        def look() -> None:
            tab = context.new_page()
            tab.goto(page.as_uri())
            tab.get_by_role("searchbox").fill("seed = 7,")
            tab.close()

        return best(look)


def main() -> None:
    """Prints the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tsnlab-bench-") as place:
        model = run("case2", parameters={"packets": 500}, results=Path(place) / "model", show=False)
        results = Path(place) / "results"
        fill(results, model, options.runs)

        def command(name: str) -> None:
            arguments = [sys.executable, "-m", "tsnlab", name, "--results", str(results)]
            subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)

        say = sys.stdout.write
        say(f"{options.runs + 1} runs, best of {TIMES}\n")
        say(f"tsnlab results: {best(lambda: command('results')):.2f} s\n")
        say(f"tsnlab index: {best(lambda: command('index')):.2f} s\n")
        page = results / "index.html"
        say(f"index.html ({page.stat().st_size / 1e6:.1f} MB) opened and searched: {opened(page):.2f} s\n")


if __name__ == "__main__":
    main()

"""Measures what a point of a sweep costs beyond its measurement, beside plain papermill; kill -9 loses no point.

python -m tests.bench.sweep [--points N] [--packets N] [--jobs N]

All in one run: so many plain calls of papermill one after the other; the sweep; the same sweep anew, killed with -9
three times on the way; and, with Dask, on a cluster of two workers of which one is killed. The measurement itself is
what the cells of a notebook take in a warm kernel. All of the time that a worker of the sweep has, from the start of
the command to its end, is counted against the sweep.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tsnlab.folder import RunFolder
from tsnlab.paths import NOTEBOOKS

CASE = NOTEBOOKS / "case2.ipynb"


def say(text: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def cells_seconds(notebook: Path) -> float:
    """What the cells of an executed notebook took."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(cell["metadata"].get("papermill", {}).get("duration") or 0.0 for cell in cells)


def plain(folder: Path, points: int, packets: int) -> float:
    """Plain papermill, once for each point; gives the seconds of all."""
    folder.mkdir()
    began = time.monotonic()
    for seed in range(1, points + 1):
        parameters = ["-p", "packets", str(packets), "-p", "seed", str(seed)]
        command = [sys.executable, "-m", "papermill", str(CASE), f"{seed}.ipynb", "-k", "python3", *parameters]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - began


class Sweep:
    """A sweep in a folder of its own."""

    def __init__(self, folder: Path, points: int, packets: int, options: list[str]) -> None:
        folder.mkdir()
        self.points, self.results = points, folder / "results"
        file = folder / "bench.yaml"
        axes = {"seed": list(range(1, points + 1))}
        file.write_text(json.dumps({"notebook": str(CASE), "parameters": {"packets": packets}, "axes": axes}))
        self.command = [sys.executable, "-m", "tsnlab", "sweep", str(file), "--results", str(self.results), *options]

    def start(self) -> subprocess.Popen[bytes]:
        """The sweep as a process."""
        return subprocess.Popen(self.command, stdout=subprocess.DEVNULL)

    def finish(self) -> float:
        """From here to its end; gives the seconds."""
        began = time.monotonic()
        subprocess.run(self.command, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def counts(self) -> Counter[int]:
        """How often each point has been measured to its end."""
        runs = [RunFolder(path.parent).read() for path in self.results.glob("*/run.json")]
        done = [run for run in runs if run["status"] in ("done", "failed") and "seconds" in run]
        return Counter(run["parameters"]["seed"] for run in done)

    def told(self) -> str:
        """Whether every point is there, once."""
        counts = self.counts()
        twice = sum(count > 1 for count in counts.values())
        return f"{len(counts)} of {self.points} points, {twice} twice, {self.points - len(counts)} missing"

    def wait_for(self, count: int) -> None:
        """Until so many points have been measured."""
        while len(self.counts()) < count:
            time.sleep(0.1)

    def measurement_s(self, jobs: int) -> float:
        """What the cells of a point take in a warm kernel: the mean; for the first of a worker the others' median."""
        found = [(path.parent.name, cells_seconds(path)) for path in self.results.glob("*/notebook.ipynb")]
        warm = [seconds for _, seconds in sorted(found)[jobs:]]
        return (sum(warm) + jobs * statistics.median(warm)) / len(found)


def killed(sweep: Sweep) -> str:
    """Kills a sweep three times on its way, and ends it."""
    for target in (1, 2, 3):
        with sweep.start() as process:
            sweep.wait_for(target * sweep.points // 4)
            process.kill()
    sweep.finish()
    return sweep.told()


def on_a_cluster(make: Callable[[str], Sweep], folder: Path) -> str:
    """The sweep on two workers of a cluster, of which one is killed."""
    dask = Path(sys.executable).parent / "dask"
    address = "tcp://127.0.0.1:28786"
    with (folder / "dask.log").open("wb") as log:
        start = [str(dask), "scheduler", "--host", "127.0.0.1", "--port", "28786", "--no-dashboard"]
        processes = [subprocess.Popen(start, stderr=log)]
        for _ in range(2):
            start = [str(dask), "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
            processes.append(subprocess.Popen([*start, "--local-directory", str(folder)], stderr=log))
        while (folder / "dask.log").read_text().count("Registered to") < 2:
            time.sleep(0.2)
        sweep = make(address)
        try:
            with sweep.start() as process:
                sweep.wait_for(sweep.points // 3)
                processes[1].kill()
                process.wait()
        finally:
            for one in processes:
                one.kill()
                one.wait()
    return sweep.told()


def main() -> None:
    """Prints the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=24)
    parser.add_argument("--packets", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="tsnlab-bench-") as place:
        folder = Path(place)

        def make(name: str, *arguments: str, points: int = options.points) -> Sweep:
            return Sweep(folder / name, points, options.packets, list(arguments))

        jobs = ("--jobs", str(options.jobs))
        load = os.getloadavg()[0]
        alone = make("alone", "--jobs", "1", points=5)
        alone.finish()
        measured = make("sweep", *jobs)
        # what is compared is measured in turns, so that other work on the machine does to both what it does
        half = options.points // 2
        seconds = plain(folder / "plain-1", half, options.packets)
        swept = measured.finish()
        seconds += plain(folder / "plain-2", options.points - half, options.packets)
        per_call, per_point = seconds / options.points, swept / options.points
        cells = measured.measurement_s(options.jobs)
        beyond_plain, beyond_sweep = per_call - alone.measurement_s(1), per_point * options.jobs - cells
        say(f"load average at the beginning {load:.1f}")
        say(f"plain papermill: {per_call:.2f} s a call;")
        say(f"  its cells in a warm kernel {alone.measurement_s(1):.2f} s; beyond the measurement {beyond_plain:.2f} s")
        say(
            f"sweep, {options.jobs} at a time: {per_point:.2f} s a point, {per_point * options.jobs:.2f} s of a worker;"
        )
        say(f"  its cells, so many at a time, {cells:.2f} s; beyond the measurement {beyond_sweep:.2f} s")
        say(f"ratio beyond the measurement: {beyond_sweep / beyond_plain:.2f}")
        say(f"sweep: {measured.told()}")
        say(f"killed three times: {killed(make('killed', *jobs))}")
        say(f"cluster, one of two workers killed: {on_a_cluster(lambda a: make('dask', '--scheduler', a), folder)}")


if __name__ == "__main__":
    main()

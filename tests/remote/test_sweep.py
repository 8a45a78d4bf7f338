"""A sweep on a lab of machines, over a real sshd: one point after the other, and what did not change is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from tests.remote.conftest import plain_user
from tests.unit.tiny_sweep import wait_for
from tsnlab.lab import LABS
from tsnlab.lab_lock import LabLock
from tsnlab.sweep import read_table

PARAMETERS = """\
number: int = 1  # what is measured
folder: str = ""  # where the node has its files
slow: bool = False  # whether the third point takes long
lab_file: str = "hardware"  # name or path of a lab file
run_folder: str = ""  # where to keep the run"""

RUN = """\
import tsnlab
run = tsnlab.new_run("steps", {"number": number, "lab_file": lab_file}, folder=run_folder)
lab = tsnlab.open_lab(lab_file, folder=run.path)
node = lab.host("node2")"""

STEPS = """\
def step(name, wanted):
    path = f"{folder}/{name}"
    found = node.run(["cat", path], check=False).stdout
    if found == wanted:
        return
    undo = ["rm", path] if not found else ["sh", "-c", 'printf %s "$0" >"$1"', found, path]
    lab.journal.will_change("node2", undo)
    node.run(["sh", "-c", 'printf %s "$0" >"$1"; echo "$1 $0" >>"$2"', wanted, path, f"{folder}/log"])


step("setup", "for all points")
step("own", str(number))"""

FAILS = """\
if number == 2:
    raise ValueError("two is too much")
if number == 3 and slow:
    import time
    time.sleep(600)
if number == 9:
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)"""

END = """\
summary = {"unit": "us", "count": 1, "min": number, "mean": number, "max": number, "spread": 0}
run.update(indicators={"scheduled_times_us": summary}, status="done")
lab.close()"""


def prepare(tmp_path: Path, port: int) -> Path:
    """A notebook, a lab and a sweep of three points, of which the second fails."""
    sources = [PARAMETERS, RUN, STEPS, FAILS, END]
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "steps.ipynb")
    lab = yaml.safe_load((LABS / "hardware.yaml").read_text())
    for node in lab["nodes"].values():
        if "ssh" in node:
            node |= {"ssh": f"{plain_user()}@127.0.0.1:{port}", "sudo": False}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    fixed = {"folder": str(tmp_path / "node"), "lab_file": str(tmp_path / "lab.yaml")}
    content = {"notebook": str(tmp_path / "steps.ipynb"), "parameters": fixed, "axes": {"number": [1, 2, 3]}}
    (tmp_path / "steps.yaml").write_text(json.dumps({**content, "shuffle": None}))
    (tmp_path / "node").mkdir()
    (tmp_path / "node").chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith("pytest"):
            folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    return tmp_path / "steps.yaml"


def sweep(tmp_path: Path, sshd, *options: str) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, sshd, "tsnlab", "sweep", "steps.yaml", *options)


def run(tmp_path: Path, sshd, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(tmp_path, sshd, module, *arguments)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(tmp_path: Path, sshd, module: str, *arguments: str) -> subprocess.Popen[str]:
    home = tmp_path / "home/.ssh"
    home.mkdir(parents=True, exist_ok=True)
    (home / "config").write_text(sshd.config(plain_user()).read_text())
    command = [sys.executable, "-m", module, *arguments]
    own = {**os.environ, "HOME": str(home.parent)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=tmp_path, env=own, stdout=pipe, stderr=pipe, text=True)


def test_what_does_not_change_is_set_up_once_and_all_is_given_back(sshd, tmp_path: Path) -> None:
    prepare(tmp_path, sshd.port)
    answer = sweep(tmp_path, sshd)
    assert answer.returncode == 2, answer.stderr
    assert list(read_table(tmp_path / "results/sweep-steps")["status"]) == ["done", "error", "done"], answer.stderr
    node = tmp_path / "node"
    done = [line.removeprefix(f"{node}/") for line in (node / "log").read_text().splitlines()]
    assert done == ["setup for all points", "own 1", "own 2", "own 3"]
    assert [path.name for path in node.iterdir()] == ["log"]
    assert list((tmp_path / "results").glob("*/journal.jsonl")) == []


def test_a_sweep_that_was_killed_gives_back_what_it_had_set_up(sshd, tmp_path: Path) -> None:
    file = prepare(tmp_path, sshd.port)
    content = json.loads(file.read_text())
    slow = {**content, "parameters": {**content["parameters"], "slow": True}}
    file.write_text(json.dumps({**slow, "axes": {"number": [1, 3]}}))
    process = start(tmp_path, sshd, "tsnlab", "sweep", "steps.yaml")
    log = tmp_path / "node/log"
    wait_for(lambda: log.exists() and "own 3" in log.read_text())
    process.kill()
    process.communicate()
    (left,) = (tmp_path / "results").glob("*/journal.jsonl")
    assert len(left.read_text().splitlines()) == 3
    file.write_text(json.dumps({**content, "axes": {"number": [1, 3]}}))
    # the kernel of the killed one is there for a moment more, and holds the lab
    wait_for(lambda: sweep(tmp_path, sshd).returncode == 0)
    assert [path.name for path in log.parent.iterdir()] == ["log"]
    assert log.read_text().count("setup") == 2
    assert list((tmp_path / "results").glob("*/journal.jsonl")) == []


def test_a_lab_in_use_and_two_points_at_a_time_are_refused(sshd, tmp_path: Path) -> None:
    prepare(tmp_path, sshd.port)
    answer = sweep(tmp_path, sshd, "--jobs", "2")
    assert answer.returncode == 2
    assert "points are measured one after the other" in answer.stderr
    with LabLock("theirs", [f"127.0.0.1:{sshd.port}"]):
        answer = sweep(tmp_path, sshd)
    assert answer.returncode == 2
    assert f"127.0.0.1:{sshd.port} is in use by lab theirs, process {os.getpid()}" in answer.stderr
    assert not (tmp_path / "node/log").exists()


def test_the_engine_gives_the_nodes_back_even_if_the_kernel_is_killed(sshd, tmp_path: Path) -> None:
    prepare(tmp_path, sshd.port)
    parameters = {"number": 9, "folder": tmp_path / "node", "lab_file": tmp_path / "lab.yaml"}
    given = [text for name, value in parameters.items() for text in ("-p", name, str(value))]
    options = ["--engine", "tsnlab", "-k", "python3", "--no-progress-bar"]
    answer = run(tmp_path, sshd, "papermill", "steps.ipynb", "out.ipynb", *options, *given)
    assert answer.returncode != 0
    assert "own 9" in (tmp_path / "node/log").read_text()
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["log"]
    assert list((tmp_path / "results").glob("*/journal.jsonl")) == []

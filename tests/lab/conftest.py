"""Fixtures around the virtual lab's kernel: built once, booted where a test asks for it."""

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

import tsnlab
from tsnlab import kernel
from tsnlab.deadline import Deadline
from tsnlab.virtual.machine import Machine

START_NS = 1_588_055_400 * 10**9


@pytest.fixture(scope="session")
def linux():
    return kernel.build("virtual", progress=False)


@pytest.fixture(scope="session")
def debian_linux():
    return kernel.build("debian")


@pytest.fixture
def machine(linux, tmp_path):
    with Machine(linux, start_ns=START_NS, folder=tmp_path / "machines", console=tmp_path / "console.log") as machine:
        yield machine


@pytest.fixture
def lab(linux, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with tsnlab.open_lab("virtual", folder) as lab:
        yield lab


@pytest.fixture
def shell(machine):
    """Runs a shell command in the machine and returns what it printed."""

    def run(script: str, seconds: float = 30.0) -> str:
        command = machine.submit(
            {"do": "run", "argv": ["/bin/sh", "-c", script], "env": {"PATH": "/usr/bin:/bin:/sbin"}}
        )
        machine.drive(lambda: command.returncode is not None, Deadline(seconds), script)
        return command.out.decode() + command.err.decode()

    return run


@pytest.fixture
def short(request):
    """A case with few packets: `short("case2", packets=100)`."""
    return lambda name, **parameters: tsnlab.load_case(name, **{"packets": 300, **parameters})


@pytest.fixture
def living():
    """Every living process of a process group."""

    def find(group: int) -> list[int]:
        result = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                result.append(int(stat.parent.name))
        return result

    return find


@pytest.fixture
def processor_seconds(living):
    """Processor time that a process group has used."""

    def add(group: int) -> float:
        total = 0
        for pid in living(group):
            with suppress(OSError):  # one that has just ended
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    return add


@pytest.fixture
def wait_until():
    """Waits until a predicate holds, for five seconds at most."""

    def wait(predicate, seconds: float = 5.0) -> None:
        deadline = Deadline(seconds)
        while not predicate():
            deadline.check("end of the processes")
            time.sleep(0.05)

    return wait

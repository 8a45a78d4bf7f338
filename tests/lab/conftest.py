"""Fixtures around the virtual lab's kernel: built once, booted where a test asks for it."""

import pytest

import tsnlab
from tsnlab import kernel
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
    from tsnlab.deadline import Deadline

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

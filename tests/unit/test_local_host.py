"""This machine as a node: the same contract as over SSH."""

import signal
import subprocess
import sys
import time

import pytest

from tsnlab.errors import CommandError, DeadlineError
from tsnlab.hosts.local import LocalHost


@pytest.fixture
def host():
    return LocalHost("here")


def _alive(pattern):
    return subprocess.run(["pgrep", "-f", pattern], capture_output=True, check=False).stdout


def test_a_command_and_all_it_did(host):
    result = host.run(["sh", "-c", "printf '<%s>' \"$@\"; echo err >&2; exit 3", "sh", "a b", "$HOME"], check=False)
    assert (result.returncode, result.stdout, result.stderr) == (3, "<a b><$HOME>", "err\n")


def test_a_failure_raises(host):
    with pytest.raises(CommandError, match="here: `false`"):
        host.run(["false"])


def test_a_program_that_is_not_there_is_named(host):
    with pytest.raises(CommandError, match="nothing-of-that-name"):
        host.run(["nothing-of-that-name"])


def test_a_deadline_ends_the_command(host):
    with pytest.raises(DeadlineError):
        host.run(["sh", "-c", "sleep 4245; true"], timeout=0.3)
    assert not _alive("^sleep 4245")


def test_a_background_process(host):
    lines = []
    process = host.start(["sh", "-c", "echo one; sleep 60"], lines.append)
    end = time.monotonic() + 5
    while not lines and time.monotonic() < end:
        assert process.returncode is None
    assert process.stop().returncode == -signal.SIGTERM
    assert lines == ["one"]


def test_it_dies_with_the_controlling_process():
    script = "import os, time; from tsnlab.hosts.local import LocalHost; p = LocalHost('x').start(['sleep', '4246']);"
    subprocess.run([sys.executable, "-c", script + " os.kill(os.getpid(), 9)"], check=False)
    end = time.monotonic() + 5
    while _alive("^sleep 4246") and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive("^sleep 4246")


def test_files(host, tmp_path):
    path = tmp_path / "file"
    host.write_text(str(path), "text")
    assert host.read_text(str(path)) == "text"
    host.put(path, str(tmp_path / "copy"))
    host.get(str(tmp_path / "copy"), tmp_path / "back")
    assert (tmp_path / "back").read_text() == "text"

"""A node takes a change back by itself when the controller vanishes in the middle of it; over a real sshd."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.remote.conftest import plain_user
from tsnlab.deadline import Deadline
from tsnlab.errors import CommandError, HostError, StepError
from tsnlab.hosts.deadman import deadman

_CONTROLLER = """\
import sys, time
from pathlib import Path
from tsnlab.hosts.deadman import deadman
from tsnlab.hosts.ssh import SshHost
host = SshHost("node", config=Path(sys.argv[1]))
with deadman(host, ["rm", sys.argv[2]], 2):
    host.run(["touch", sys.argv[2]])
    print("changed", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def change(tmp_path):
    """A file that the change makes and the undo removes."""
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name:
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path / "change"


def armed(host):
    """What waits on the node to take something back; the brackets keep the question from finding itself."""
    return host.run(
        ["sh", "-c", "ls /tmp/tsnlab-[d]eadman-* 2>/dev/null; pgrep -f 'tsnlab-[d]eadman'"], check=False
    ).stdout


def wait_until(predicate):
    deadline = Deadline(20)
    while not predicate():
        deadline.check("the node")
        time.sleep(0.05)


def test_a_controller_that_is_killed_leaves_no_change_behind(sshd, change):
    config = sshd.config(plain_user())
    controller = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLER, str(config), str(change)], stdout=subprocess.PIPE, text=True
    )
    assert controller.stdout.readline() == "changed\n"
    assert change.exists()
    os.kill(controller.pid, signal.SIGKILL)
    controller.communicate()
    wait_until(lambda: not change.exists())


def test_a_change_that_was_confirmed_stays_and_nothing_waits_any_more(sshd, connect, change):
    host = connect(sshd)
    with deadman(host, ["rm", str(change)], 1):
        host.run(["touch", str(change)])
    assert armed(host) == ""
    time.sleep(1.5)
    assert change.exists()


def test_a_change_that_takes_too_long_is_taken_back_and_said(sshd, connect, change):
    host = connect(sshd)

    def too_slow():
        with deadman(host, ["rm", str(change)], 1):
            host.run(["touch", str(change)])
            wait_until(lambda: not change.exists())

    with pytest.raises(StepError, match=r"longer than 1 s.*taken it back"):
        too_slow()
    assert armed(host) == ""


def test_an_error_that_leaves_the_connection_is_for_the_journal(sshd, connect, change):
    host = connect(sshd)

    def failing():
        with deadman(host, ["rm", str(change)], 1):
            host.run(["touch", str(change)])
            host.run(["false"])

    with pytest.raises(CommandError):
        failing()
    assert armed(host) == ""
    time.sleep(1.5)
    assert change.exists()


def test_a_connection_that_is_lost_in_the_block_is_left_to_the_node(own_sshd, connect, change):
    host = connect(own_sshd)

    def cut():
        with deadman(host, ["rm", str(change)], 2):
            host.run(["touch", str(change)])
            for pid in own_sshd.sessions():
                if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGKILL)
            host.run(["sleep", "60"])

    with pytest.raises(HostError):
        cut()
    wait_until(lambda: not change.exists())

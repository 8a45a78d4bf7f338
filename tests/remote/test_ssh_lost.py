"""Connections that die."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tsnlab.errors import HostError


def _later(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_a_server_killed_in_the_middle_of_a_command(own_sshd, connect):
    host = connect(own_sshd)
    host.name = "node2"
    host.run(["true"])

    def kill():
        for pid in own_sshd.sessions():
            with suppress(OSError):  # it has just ended
                if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGKILL)

    _later(0.5, kill)
    started = time.monotonic()
    with pytest.raises(
        HostError, match=r"node2: the connection to .*@127.0.0.1:.* was lost\n.*`sh -c .*` was running.*not run again"
    ):
        host.run(["sh", "-c", "sleep 60; true"])
    assert time.monotonic() - started < 5


def test_a_silent_connection_is_noticed_within_15_seconds(own_sshd, connect):
    host = connect(own_sshd)
    host.run(["true"])
    frozen = own_sshd.sessions()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(HostError, match="was lost"):
            host.run(["sleep", "60"], timeout=50)
        assert time.monotonic() - started < 15.5
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)


def test_the_next_command_connects_again_and_no_command_runs_twice(own_sshd, connect):
    host = connect(own_sshd)
    path = host.run(["mktemp"]).stdout.strip()
    _later(0.5, lambda: host.connect().close())
    with pytest.raises(HostError, match="was lost"):
        host.run(["sh", "-c", f"echo once >>{path}; sleep 60"])
    assert host.run(["cat", path]).stdout == "once\n"
    host.run(["rm", path])

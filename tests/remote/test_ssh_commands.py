"""Commands, output, files and background processes over a real sshd."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tsnlab.errors import CommandError, DeadlineError
from tsnlab.hosts.local import LocalHost

AWKWARD = ["a b", "$HOME", "it's", '"', "`id`", "*", "", "\\", "a\nb", "-n", "ü", "; exit 9"]


def test_arguments_arrive_as_they_were_given(sshd, connect):
    result = connect(sshd).run(["printf", "<%s>", *AWKWARD])
    assert result.stdout == "".join(f"<{word}>" for word in AWKWARD)


def test_a_result_has_all_that_a_command_did(sshd, connect):
    result = connect(sshd).run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (result.host, result.returncode, result.stdout, result.stderr) == ("node", 3, "out\n", "err\n")


def test_a_failure_names_host_command_and_the_end_of_stderr(sshd, connect):
    with pytest.raises(CommandError, match=r"node: `ls /nowhere` failed with status 2\n.*No such file"):
        connect(sshd).run(["ls", "/nowhere"])


def test_the_signal_that_ended_a_command_is_told(sshd, connect):
    assert connect(sshd).run(["sh", "-c", "kill -9 $$"], check=False).returncode == -signal.SIGKILL


def test_tools_in_sbin_are_found(sshd, connect):
    assert "/usr/sbin" in connect(sshd).run(["sh", "-c", "echo $PATH"]).stdout


def _seconds_of_a_hundred(host):
    started = time.monotonic()
    for number in range(100):
        assert host.run(["echo", str(number)]).stdout == f"{number}\n"
    return time.monotonic() - started


def test_a_hundred_commands_take_less_than_two_seconds_beside_their_own_time(sshd, connect):
    host = connect(sshd)
    host.run(["true"])
    assert _seconds_of_a_hundred(host) - _seconds_of_a_hundred(LocalHost("here")) < 2


def _open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_hundred_commands_in_a_row_leave_nothing_open(sshd, connect):
    host = connect(sshd)
    before = _open_files()
    for _ in range(200):
        host.run(["true"])
    assert _open_files() <= before + 4


def test_fifty_megabytes_of_output_arrive_whole(sshd, connect):
    result = connect(sshd).run(["sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' x"])
    assert len(result.stdout) == 50_000_000
    assert set(result.stdout) == {"x"}


def test_a_command_that_lasts_too_long_is_ended_on_the_node(sshd, connect):
    host = connect(sshd)
    with pytest.raises(DeadlineError, match=r"sleep 4242"):
        host.run(["sh", "-c", "sleep 4242; true"], timeout=0.5)
    assert host.run(["pgrep", "-f", "^sleep 4242"], check=False).stdout == ""


def test_lines_of_a_background_process_are_handed_over_while_it_runs(sshd, connect):
    lines = []
    process = connect(sshd).start(["sh", "-c", "echo one; echo two; sleep 60"], lines.append)
    deadline = time.monotonic() + 5
    while lines != ["one", "two"] and time.monotonic() < deadline:
        assert process.returncode is None
        time.sleep(0.01)
    assert lines == ["one", "two"]
    assert process.stop().returncode == -signal.SIGTERM


def test_nobody_needs_to_read_for_a_process_to_go_on(sshd, connect):
    process = connect(sshd).start(["sh", "-c", "head -c 5000000 /dev/zero; echo done >&2; sleep 60"])
    deadline = time.monotonic() + 10
    while "done" not in process.stderr and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "done" in process.stderr
    assert len(process.stop().stdout) == 5_000_000


def test_background_processes_die_with_the_connection(sshd, connect):
    host = connect(sshd)
    host.start(["sh", "-c", "sleep 4243 & sleep 4243"])
    time.sleep(0.3)
    host.close()
    time.sleep(0.5)
    assert host.run(["pgrep", "-f", "^sleep 4243"], check=False).stdout == ""


def test_stopping_what_has_ended_is_no_error(sshd, connect):
    process = connect(sshd).start(["true"])
    assert process.wait(5).returncode == 0
    assert process.stop().returncode == 0


def test_files_go_both_ways_whole(sshd, connect, tmp_path):
    host = connect(sshd)
    content = os.urandom(3_000_000)
    (tmp_path / "there").write_bytes(content)
    path = host.run(["mktemp"]).stdout.strip()
    host.put(tmp_path / "there", path)
    host.get(path, tmp_path / "back")
    host.run(["rm", path])
    assert (tmp_path / "back").read_bytes() == content


def test_a_text_file_keeps_its_mode_when_it_is_replaced(sshd, connect):
    host = connect(sshd)
    path = host.run(["mktemp"]).stdout.strip()
    host.run(["chmod", "640", path])
    host.write_text(path, "ü\nwithout end")
    assert host.read_text(path) == "ü\nwithout end"
    assert host.run(["stat", "-c", "%a", path]).stdout == "640\n"
    host.run(["rm", path])


def test_a_full_disk_leaves_the_old_file(sshd, connect):
    with pytest.raises(CommandError, match="No space left"):
        connect(sshd).write_text("/dev/full", "text")


def test_a_missing_file_is_named(sshd, connect, tmp_path):
    with pytest.raises(CommandError, match="/nowhere"):
        connect(sshd).get("/nowhere", tmp_path / "back")


def test_several_nodes_at_once(sshd, connect):
    hosts = [connect(sshd) for _ in range(5)]
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda host: host.run(["sleep", "1"]).returncode, hosts))
    assert results == [0] * 5
    assert time.monotonic() - started < 4

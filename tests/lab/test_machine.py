"""The machine: frozen between commands, on deadlines, never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tsnlab.deadline import Deadline
from tsnlab.errors import DeadlineError, MachineError
from tsnlab.virtual import agent
from tsnlab.virtual.machine import GRANT_NS, Machine
from tsnlab.virtual.modules import load_order

pytestmark = pytest.mark.lab

ENV = {"PATH": "/usr/bin:/bin"}


def test_a_command_runs_in_the_guests_kernel(shell, linux):
    assert shell("uname -r").strip() == linux.version


def test_the_guests_clock_starts_where_the_lab_says(shell):
    assert shell("date -u +%Y-%m-%dT%H:%M").strip() == "2020-04-28T06:30"


def test_time_stands_still_between_commands_and_no_core_burns(machine, shell, processor_seconds):
    before = float(shell("cat /proc/uptime").split()[0])
    group = machine._process.pid
    burnt = processor_seconds(group)
    time.sleep(1.0)
    assert processor_seconds(group) - burnt < 0.05
    after = float(shell("cat /proc/uptime").split()[0])
    assert after - before < 0.1


def test_an_hour_of_the_guests_time_passes_in_seconds(shell):
    started = time.monotonic()
    before = float(shell("cat /proc/uptime").split()[0])
    shell("sleep 600")
    assert float(shell("cat /proc/uptime").split()[0]) - before >= 600
    assert time.monotonic() - started < 30


def test_output_is_streamed_while_the_command_runs(machine):
    seen = []
    command = machine.submit(
        {"do": "run", "argv": ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 1; done"], "env": {"PATH": "/bin"}},
        lambda kind, data: seen.append((machine.now_ns, kind, data)),
    )
    machine.drive(lambda: command.returncode is not None, Deadline(20), "count to three")
    assert [data for _, _, data in seen] == [b"1\n", b"2\n", b"3\n"]
    assert all(kind == agent.OUT for _, kind, _ in seen)
    moments = [moment for moment, _, _ in seen]
    assert 0.9e9 < moments[1] - moments[0] < 1.1e9 + GRANT_NS


def test_megabytes_of_output_arrive_whole(shell):
    assert len(shell("head -c 3000000 /dev/zero | tr '\\0' x")) == 3_000_000


def test_a_command_that_is_not_there_fails_as_in_a_shell(machine):
    command = machine.submit({"do": "run", "argv": ["no-such-program"], "env": {}})
    machine.drive(lambda: command.returncode is not None, Deadline(20), "failure")
    assert command.returncode == 127
    assert b"no-such-program: No such file" in command.err


def test_a_deadline_leaves_the_machine_usable(machine, shell):
    command = machine.submit({"do": "run", "argv": ["sleep", "1000000000"], "env": {"PATH": "/bin"}})
    with pytest.raises(DeadlineError, match=r"no end of sleep within 0\.5 s of wall time"):
        machine.drive(lambda: command.returncode is not None, Deadline(0.5), "end of sleep")
    machine.submit({"do": "signal", "number": command.number, "signal": signal.SIGKILL})
    assert shell("echo alive").strip() == "alive"
    assert command.returncode == -signal.SIGKILL


def test_a_guest_in_which_no_time_passes_any_more_is_reported_and_removed(machine, living, wait_until):
    group = machine._process.pid
    command = machine.submit({"do": "run", "argv": ["sh", "-c", "while :; do :; done"], "env": {"PATH": "/bin"}})
    with pytest.raises(MachineError, match="hangs: no end of the loop"):
        machine.drive(lambda: command.returncode is not None, Deadline(0.5), "end of the loop")
    wait_until(lambda: living(group) == [])


def test_a_panic_is_reported_with_the_end_of_the_console(machine):
    (machine.inbox / "1").write_text("not a command")
    with pytest.raises(MachineError, match="Attempted to kill init"):
        machine.drive(lambda: False, Deadline(20), "nothing")
    assert not machine.folder.exists()


def test_a_killed_kernel_is_noticed_within_five_seconds(machine, living, wait_until):
    group = machine._process.pid
    machine.submit({"do": "run", "argv": ["sleep", "1000000000"], "env": {"PATH": "/bin"}})
    killer = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.5; kill -KILL {group}"])
    started = time.monotonic()
    with pytest.raises(MachineError, match=r"ended \(status -9\)"):
        machine.drive(lambda: False, Deadline(60), "nothing")
    killer.wait()
    assert time.monotonic() - started < 5
    wait_until(lambda: living(group) == [])


def test_nothing_is_left_after_close(linux, tmp_path, living, wait_until):
    machine = Machine(linux, start_ns=0, folder=tmp_path / "machines")
    group = machine._process.pid
    machine.close()
    machine.close()
    wait_until(lambda: living(group) == [])
    assert not machine.folder.exists()
    with pytest.raises(MachineError, match="closed"):
        machine.submit({"do": "node", "name": "x"})


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_controlling_process_dies(linux, tmp_path, how, living, wait_until):
    script = f"""
        import time
        from types import SimpleNamespace
        from pathlib import Path
        from tsnlab.virtual.machine import Machine
        from tsnlab.deadline import Deadline
        kernel = SimpleNamespace(path=Path({str(linux.path)!r}), virtual_time=True)
        machine = Machine(kernel, start_ns=0, folder=Path({str(tmp_path)!r}) / "machines")
        print(machine._process.pid, machine.folder, flush=True)
        machine.drive(lambda: False, Deadline(60), "nothing")
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    pid, folder = child.stdout.readline().split()
    assert living(int(pid))
    child.send_signal(how)
    child.wait(10)
    child.stdout.close()
    wait_until(lambda: living(int(pid)) == [] and not Path(folder).exists())


def test_two_machines_do_not_touch_each_other(linux, tmp_path):
    machines = [Machine(linux, start_ns=i * 10**9, folder=tmp_path / "machines") for i in (1, 2)]
    try:
        for machine in machines:
            node = machine.submit({"do": "node", "name": "same"})
            machine.drive(lambda node=node: node.returncode is not None, Deadline(20), "node")
        machines[0].close()
        command = machines[1].submit({"do": "run", "node": "same", "argv": ["hostname"], "env": {"PATH": "/bin"}})
        machines[1].drive(lambda: command.returncode is not None, Deadline(20), "hostname")
        assert command.out == b"same\n"
    finally:
        for machine in machines:
            machine.close()


@pytest.mark.debian
def test_debians_kernel_runs_by_the_wall_clock_and_is_frozen_when_idle(debian_linux, tmp_path, living, wait_until):
    with Machine(debian_linux, start_ns=0, folder=tmp_path / "machines") as machine:
        for path in load_order(debian_linux.modules):
            module = machine.submit({"do": "module", "path": str(path)})
            machine.drive(lambda module=module: module.returncode is not None, Deadline(30), "module")
            assert module.returncode == 0, module.err
        group = machine._process.pid
        wait_until(lambda: Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        command = machine.submit({"do": "run", "argv": ["uname", "-r"], "env": {"PATH": "/bin"}})
        machine.drive(lambda: command.returncode is not None, Deadline(30), "uname")
        assert command.out.decode().strip() == debian_linux.version
    wait_until(lambda: living(group) == [])


def test_an_interrupt_leaves_the_machine_usable(machine, shell):
    group = os.getpid()
    for _ in range(10):
        noise = machine.submit({"do": "run", "argv": ["sh", "-c", "while echo noise; do sleep 0.01; done"], "env": ENV})
        pressed = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.1; kill -INT {group}"])
        with pytest.raises(KeyboardInterrupt):
            machine.drive(lambda: False, Deadline(30), "nothing")
        pressed.wait()
        machine.submit({"do": "signal", "number": noise.number, "signal": signal.SIGKILL})
    assert shell("echo alive").strip() == "alive"

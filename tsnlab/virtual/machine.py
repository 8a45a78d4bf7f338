"""The virtual lab's kernel with the agent inside: an ordinary process, frozen whenever no command runs."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tsnlab.closing import Closing
from tsnlab.deadline import Deadline
from tsnlab.errors import DeadlineError, DeviceError, MachineError
from tsnlab.virtual import agent, xstate
from tsnlab.virtual.calendar import Calendar
from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.vhost import VIRTIO_ID, Endpoint, Function
from tsnlab.virtual.interrupt import Interrupt, held_back
from tsnlab.virtual.process import KernelProcess, read_available
from tsnlab.virtual.seat import Seat

GRANT_NS = 10_000_000
"""How far the guest runs on before it asks again: the grain at which a lab can be frozen."""

POLL_NS = 1_000_000
"""How often the idle agent looks for a new command, in the guest's time."""

GRACE_S = 5.0
"""So much longer than its deadline a guest may compute without asking for time; then it counts as hung."""

_CONSOLE_TAIL = 16_000


DeviceMaker = Callable[[Agenda], Sequence[Function]]
"""Makes the devices of a machine, in the order of their PCI slots, when its calendar is there."""


class Bootable(Protocol):
    """What a machine needs to know of a kernel (see :class:`tsnlab.kernel.Kernel`)."""

    @property
    def path(self) -> Path:
        """The binary."""

    @property
    def virtual_time(self) -> bool:
        """Whether it can run in virtual time."""


@dataclass
class Command:
    """One command inside the machine: what it printed so far and how it ended."""

    number: int
    on_output: Callable[[int, bytes], None] | None = None
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    returncode: int | None = None

    def receive(self, kind: int, data: bytes) -> None:
        """Takes one frame of the agent."""
        if kind == agent.EXIT:
            self.returncode = int(data)
        elif self.on_output is not None:
            self.on_output(kind, data)
        else:
            (self.err if kind == agent.ERR else self.out).extend(data)


class Machine(Closing):
    """A user-mode Linux kernel that runs commands.

    In virtual time the guest moves only inside :meth:`drive`, because only there its calendar is served. On the
    wall clock it is stopped by a signal when the last command has ended: one that goes on in the background,
    as ptp4l does, would find that its timers have expired.

    Args:
        kernel: which kernel to boot.
        start_ns: CLOCK_REALTIME at boot, nanoseconds since 1970 (virtual time only).
        folder: where the private folder of the machine is made, and what it needs is kept.
        console: file that keeps what the kernel prints.
        memory_mb: size of the guest's memory.
        boot_seconds: wall time within which the agent has to answer.
        devices: makes its PCI devices (virtual time only).

    Raises:
        MachineError: the kernel did not come up.
        DeviceError: a device and the kernel do not understand each other.
    """

    def __init__(
        self,
        kernel: Bootable,
        *,
        start_ns: int,
        folder: Path,
        console: Path | None = None,
        memory_mb: int = 512,
        boot_seconds: float = 60.0,
        devices: DeviceMaker | None = None,
    ) -> None:
        self.folder = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir(parents=True, mode=0o700)
        self._booted_ns = time.monotonic_ns()
        ready = Command(0)
        self._commands = {0: ready}
        self._number = 0
        self._frames = b""
        self._tail = bytearray()
        self._console_file = console.open("ab") if console else None
        self.closed = False
        self._process: KernelProcess | None = None
        self.calendar = Calendar(self.folder / "calendar", start_ns) if kernel.virtual_time else None
        self._endpoints: list[Endpoint] = []
        if devices is not None and self.calendar is not None:
            for number, device in enumerate(devices(self.calendar.agenda)):
                self._endpoints.append(Endpoint(self.folder / _socket(number), device, self.calendar.agenda))
        self._sources = selectors.DefaultSelector()
        self._seat = Seat(folder)
        try:
            self._process = KernelProcess(self._command_line(kernel, memory_mb), self.folder, _environment(folder))
            self._seat.bind(self._process.pid)
            self._listen(self._process)
            self.drive(lambda: bool(ready.out), Deadline(boot_seconds), "answer of the virtual lab's agent")
            del self._commands[0]
        except BaseException:
            self.close()
            raise

    # --- commands ---------------------------------------------------------------------------------

    def submit(self, command: dict[str, object], on_output: Callable[[int, bytes], None] | None = None) -> Command:
        """Hands a command to the agent, which takes it as soon as the machine is driven.

        Args:
            command: see :meth:`tsnlab.virtual.agent.Agent.execute`.
            on_output: takes each piece of output (``agent.OUT`` or ``agent.ERR``, bytes); else it is collected.
        """
        self._require_open()
        self._number += 1
        handle = self._commands[self._number] = Command(self._number, on_output)
        draft = self.folder / "draft"
        draft.write_text(json.dumps(command), encoding="utf-8")
        draft.rename(self.inbox / str(self._number))
        return handle

    def drive(self, done: Callable[[], bool], deadline: Deadline, waited_for: str) -> None:
        """Lets the guest's time move on until a predicate holds; frozen before and after.

        Raises:
            DeadlineError: the predicate did not hold in time (wall time); the machine is frozen and usable.
            MachineError: the kernel ended or hangs.
        """
        process = self._require_open()
        if self.calendar is None:
            process.resume()
        try:
            with held_back() as interrupt, self._seat.shared() if self._endpoints else nullcontext():
                self._run_until(done, deadline, waited_for, interrupt)
        finally:
            if self.calendar is None and not self.closed and not self._commands:
                process.freeze()

    def _run_until(self, done: Callable[[], bool], deadline: Deadline, waited_for: str, interrupt: Interrupt) -> None:
        assert self._process is not None
        grace = Deadline(None)
        while not (self._can_halt() and done()):
            if deadline.expired or interrupt.requested:
                if self._can_halt():
                    break
                grace = Deadline(GRACE_S) if grace.seconds is None else grace
                if grace.expired:
                    self._fail(f"hangs: no {waited_for}, and no time passes in it")
            try:
                self._turn()
            except DeviceError as error:
                self._fail(f"cannot go on: {error}", DeviceError)
        else:
            return
        if not interrupt.requested:
            at = f"{self.now_ns / 1e9:.3f} s after boot in the lab's time"
            raise DeadlineError(f"no {waited_for} within {deadline.seconds:g} s of wall time ({at})")

    @property
    def now_ns(self) -> int:
        """The guest's time since boot in nanoseconds (wall time on the wall-clock kernel)."""
        return self.calendar.now_ns if self.calendar else time.monotonic_ns() - self._booted_ns

    @property
    def console(self) -> str:
        """The end of what the kernel has printed."""
        return self._tail.decode(errors="replace")

    # --- life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Kills the kernel and removes its folder; twice is no error."""
        if self.closed:
            return
        self.closed = True
        if self._process is not None:
            self._process.close()
        self._seat.release()
        self._sources.close()
        for endpoint in self._endpoints:
            endpoint.close()
        if self.calendar is not None:
            self.calendar.close()
        if self._console_file is not None:
            self._console_file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _require_open(self) -> KernelProcess:
        if self.closed or self._process is None:
            raise MachineError("the virtual lab is closed; open it again with tsnlab.open_lab")
        return self._process

    def _command_line(self, kernel: Bootable, memory_mb: int) -> list[str]:
        init = [sys.executable, "-I", "-S", agent.__file__, str(self.folder), str(POLL_NS)]
        # norandmaps and no IPv6 (random delays of its own): two labs with the same commands do the same
        return [
            str(kernel.path), "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "quiet", "panic=-1",
            f"mem={memory_mb}M", f"uml_dir={self.folder}/", "umid=lab", "norandmaps", "ipv6.disable=1",
            "con=null", "con0=fd:0,fd:1", "ssl=null", "ssl0={line}",
            *(["time-travel=ext:calendar"] if kernel.virtual_time else []),
            *(f"virtio_uml.device={_socket(number)}:{VIRTIO_ID}" for number in range(len(self._endpoints))),
            f"init={init[0]}", "--", *init[1:],
        ]  # fmt: skip

    # --- one turn of the loop ---------------------------------------------------------------------

    def _can_halt(self) -> bool:
        """Whether this is an instant at which the lab may be frozen.

        In virtual time that is only where the guest waits for its calendar, with all it wrote before in the
        pipe: a lab is then frozen at the same instants of its time in every repetition.
        """
        if self.calendar is None:
            return True
        if self.calendar.waiting:
            self._read_line()
        return self.calendar.waiting

    def _listen(self, process: KernelProcess) -> None:
        """Notes what there is to wait for, and what then is to be done; it returns False once the other end is gone."""
        self._sources.register(process.console, selectors.EVENT_READ, self._read_console)
        self._sources.register(process.line, selectors.EVENT_READ, self._read_line)
        if self.calendar is not None:
            self._sources.register(self.calendar.listener, selectors.EVENT_READ, self._meet_calendar)
        for endpoint in self._endpoints:
            self._sources.register(endpoint, selectors.EVENT_READ, lambda e=endpoint: self._meet_device(e))

    def _turn(self) -> None:
        if self.calendar is not None and self.calendar.waiting:
            self.calendar.go_on(GRANT_NS)
            return
        for key, _ in self._sources.select(0.25):
            if not key.data():
                self._fail("ended")

    def _meet_calendar(self) -> bool:
        assert self.calendar is not None
        self._sources.unregister(self.calendar.listener)
        self.calendar.accept()
        assert self.calendar.connection is not None
        self._sources.register(self.calendar.connection, selectors.EVENT_READ, self.calendar.receive)
        return True

    def _meet_device(self, endpoint: Endpoint) -> bool:
        self._sources.unregister(endpoint)
        endpoint.accept()
        self._sources.register(endpoint, selectors.EVENT_READ, endpoint.serve)
        return True

    def _read_line(self) -> bool:
        """Reads what the agent has sent and hands it to the commands; False once there is nobody to send."""
        assert self._process is not None
        data = read_available(self._process.line)
        if data is None:
            return False
        self._frames += data
        header = agent.FRAME
        while len(self._frames) >= header.size:
            number, kind, length = header.unpack_from(self._frames)
            end = header.size + length
            if len(self._frames) < end:
                break
            payload, self._frames = self._frames[header.size : end], self._frames[end:]
            handle = self._commands.get(number)
            if handle is not None:
                handle.receive(kind, payload)
                if handle.returncode is not None:
                    del self._commands[number]
        return True

    def _read_console(self) -> bool:
        assert self._process is not None
        data = read_available(self._process.console)
        if data is None:
            return False
        self._tail = (self._tail + data)[-_CONSOLE_TAIL:]
        if self._console_file is not None:
            self._console_file.write(data)
            self._console_file.flush()
        return True

    def _fail(self, how: str, kind: type[MachineError] = MachineError) -> None:
        """Reports a kernel that is gone or useless, with the end of its console, and removes what is left."""
        assert self._process is not None
        status = self._process.kill()
        self._read_line()
        self._read_console()
        end = "\n".join(f"  {line}" for line in self.console.splitlines()[-40:]) or "  (nothing)"
        self.close()
        raise kind(f"the virtual lab's kernel {how} (status {status}); the end of its console:\n{end}")


def _socket(number: int) -> str:
    """The name of a device's socket in the machine's folder."""
    return f"device{number}"


def _environment(folder: Path) -> dict[str, str]:
    """The kernel keeps the guest's memory in a file in TMPDIR, which must be executable and had better be memory."""
    preload = {"LD_PRELOAD": str(xstate.library(folder))} if xstate.needed() else {}
    return {"TMPDIR": "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp", **preload}

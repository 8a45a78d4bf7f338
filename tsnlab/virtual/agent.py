"""The first process of the virtual lab's kernel: it runs commands in the nodes' namespaces.

Standard library only and no package around it: the guest's kernel executes this file directly as its init.
Commands arrive as files in an inbox folder (the guest's file system is the host's), because a file that is
looked for at a fixed instant of virtual time is found at that instant in every repetition, where an interrupt
would not be. Answers leave over a serial line as frames of a header and data.

usage: agent.py FOLDER POLL_NS
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import time
import tty

FRAME = struct.Struct("=IBI")
OUT, ERR, EXIT, READY = 1, 2, 3, 4

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWNET = 0x00020000, 0x04000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
SYS_FINIT_MODULE = 313

POLL_BUSY_NS = 10_000_000
POLL_PHASE_NS = 913_000

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Calls a function of the C library that returns 0, or raises OSError."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(kind: str, where: str, flags: int = 0) -> None:
    """Mounts a pseudo file system; one that is there already is no error."""
    try:
        call("mount", b"none", where.encode(), kind.encode() or None, ctypes.c_ulong(flags), None)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise


def loopback_up() -> None:
    """Brings up `lo` of the present network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        import fcntl

        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def load_module(path: str) -> None:
    """Loads a kernel module; one that is there already is no error."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        call("syscall", SYS_FINIT_MODULE, descriptor, b"", 0)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    finally:
        os.close(descriptor)


class Node:
    """One host of the lab: a network, mount and host name space kept open by a sleeping process."""

    def __init__(self, name: str) -> None:
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            call("unshare", CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS)
            mount("", "/", MS_REC | MS_PRIVATE)
            mount("sysfs", "/sys")
            mount("tmpfs", "/run")
            socket.sethostname(name)
            loopback_up()
            os.write(told, b"+")
            os.close(told)
            while True:
                signal.pause()
        os.close(told)
        if os.read(ready, 1) != b"+":
            raise OSError(f"the namespaces of {name} could not be made")
        os.close(ready)
        self.namespaces = [os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY) for kind in ("net", "uts", "mnt")]

    def enter(self) -> None:
        """Moves the calling process into the node."""
        for descriptor in self.namespaces:
            call("setns", descriptor, 0)


class Child:
    """One running command and the read ends of its output."""

    def __init__(self, number: int, pid: int, out: int, err: int) -> None:
        self.number = number
        self.pid = pid
        self.streams = {out: OUT, err: ERR}
        self.status: int | None = None


class Agent:
    """Takes commands from the inbox, runs them, and sends back what they print and how they end."""

    def __init__(self, folder: str, poll_ns: int) -> None:
        self.inbox = os.path.join(folder, "inbox")
        self.poll_ns = poll_ns
        self.next_number = 1
        self.nodes: dict[str, Node] = {}
        self.children: dict[int, Child] = {}
        self.line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.line, termios.TCSANOW)

    def send(self, number: int, kind: int, data: bytes) -> None:
        """Writes one frame to the serial line."""
        frame = memoryview(FRAME.pack(number, kind, len(data)) + data)
        while frame:
            frame = frame[os.write(self.line, frame) :]

    def serve(self) -> None:
        """Runs until the machine is killed."""
        self.send(0, READY, str(os.getpid()).encode())
        while True:
            self.wait_for_output()
            self.reap()
            self.take_commands()

    def wait_for_output(self) -> None:
        """Sleeps until a command prints something, at most until the next instant to look into the inbox."""
        streams = [fd for child in self.children.values() for fd in child.streams]
        readable, _, _ = select.select(streams, [], [], self.time_to_poll())
        for child in list(self.children.values()):
            for fd in [fd for fd in child.streams if fd in readable]:
                self.forward(child, fd)

    def time_to_poll(self) -> float:
        """Seconds until the next instant to look into the inbox; rare, and away from events, while commands run.

        Every reading of the clock costs virtual time, so that an agent that wakes beside a gate or a launch
        time would move it. Gates and cycles begin at whole multiples of their length: the phase below is none.
        """
        period = POLL_BUSY_NS if self.children else self.poll_ns
        now = time.time_ns()
        return (period - (now - POLL_PHASE_NS) % period) / 1e9

    def forward(self, child: Child, fd: int) -> None:
        """Sends on what a command has printed; forgets a stream that has ended."""
        data = os.read(fd, 65536)
        if data:
            self.send(child.number, child.streams[fd], data)
        else:
            os.close(fd)
            del child.streams[fd]

    def reap(self) -> None:
        """Reports commands that have ended and whose output is complete."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for child in self.children.values():
                if child.pid == pid:
                    child.status = os.waitstatus_to_exitcode(status)
        for child in [c for c in self.children.values() if c.status is not None]:
            self.drain(child)
            del self.children[child.number]
            self.send(child.number, EXIT, str(child.status).encode())

    def drain(self, child: Child) -> None:
        """Sends on what a command that has ended left unread; what a daemon of its own still holds open is closed."""
        for fd in list(child.streams):
            while fd in child.streams and select.select([fd], [], [], 0)[0]:
                self.forward(child, fd)
        for fd in child.streams:
            os.close(fd)
        child.streams.clear()

    def take_commands(self) -> None:
        """Executes the commands that lie in the inbox, in the order of their numbers."""
        while True:
            try:
                with open(os.path.join(self.inbox, str(self.next_number)), encoding="utf-8") as file:
                    command = json.load(file)
            except FileNotFoundError:
                return
            number = self.next_number
            self.next_number += 1
            try:
                self.execute(number, command)
            except (OSError, KeyError) as error:
                self.send(number, ERR, f"{type(error).__name__}: {error}\n".encode())
                self.send(number, EXIT, b"127")

    def execute(self, number: int, command: dict[str, object]) -> None:
        """Does what one command says: loads a module, makes a node, starts a program, or sends it a signal."""
        if command["do"] == "node":
            name = str(command["name"])
            self.nodes[name] = Node(name)
            self.send(number, OUT, str(self.nodes[name].pid).encode())
            self.send(number, EXIT, b"0")
        elif command["do"] == "module":
            load_module(str(command["path"]))
            self.send(number, EXIT, b"0")
        elif command["do"] == "signal":
            child = self.children.get(int(str(command["number"])))
            if child is not None and child.status is None:
                os.killpg(child.pid, int(str(command["signal"])))
            self.send(number, EXIT, b"0")
        else:
            self.spawn(number, command)

    def spawn(self, number: int, command: dict[str, object]) -> None:
        """Starts a program in a node; its exit is reported by `reap`."""
        node = self.nodes[str(command["node"])] if command.get("node") else None
        argv = [str(word) for word in command["argv"]]  # type: ignore[attr-defined]
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            become(argv, dict(command["env"]), node, out_end, err_end)  # type: ignore[call-overload]
        os.close(out_end)
        os.close(err_end)
        self.children[number] = Child(number, pid, out, err)


def become(argv: list[str], environment: dict[str, str], node: Node | None, out: int, err: int) -> None:
    """Turns the forked child into the command: own process group, in its node, its output into the pipes."""
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        if node is not None:
            node.enter()
        os.chdir("/")
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def main() -> None:
    """Prepares the machine and serves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for kind, where in (("proc", "/proc"), ("devtmpfs", "/dev"), ("sysfs", "/sys"), ("tmpfs", "/run")):
        mount(kind, where)
    loopback_up()
    Agent(sys.argv[1], int(sys.argv[2])).serve()


if __name__ == "__main__":
    main()

"""Sends qdisc requests to the kernel beside it, and reads what it has: netlink without a library.

The requests are the bodies of RTM_NEWQDISC messages in hexadecimal; the interface's index is filled in here.

usage: qdisc.py INTERFACE rebuild JSON   {"qdiscs": [BODY or ["tc", ...], ...], "poke": [PRIORITY, ...], "wait": NS}:
                                         link down, the root qdisc deleted, each set in order, link up if it was; then
                                         see poke and show, with `before` naming the state of the link
       qdisc.py INTERFACE show           {"qdiscs": [{"parent", "handle", "qlen", "drops", "body"}, ...]}
       qdisc.py INTERFACE try FILE       for each line of a file: replaces the root, prints what was read back or
                                         the refusal, and deletes it again
       qdisc.py INTERFACE poke JSON      one frame of each priority to nobody, and after a while how many are `queued`

A refusal is printed as {"errno", "message", "index"} and ends the program with status 1.

Source: rtnetlink(7), netlink(7), include/uapi/linux/{netlink,rtnetlink,gen_stats}.h.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import time
from typing import Any, Iterator, List, Optional

NEWQDISC, DELQDISC, GETQDISC = 36, 37, 38
REQUEST, ACK, DUMP, REPLACE, CREATE = 0x1, 0x4, 0x300, 0x100, 0x400
CAPPED, ACK_TLVS = 0x100, 0x200
ERROR, DONE = 2, 3
SOL_NETLINK, CAP_ACK, EXT_ACK = 270, 10, 11
ERROR_MESSAGE = 1  # NLMSGERR_ATTR_MSG
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
KIND, OPTIONS, STATS2 = 1, 2, 7
STATS_QUEUE, ADMIN_SCHEDULE = 3, 7
ROOT = 0xFFFFFFFF
SETTLE_S = 0.1  # a driver that resets its NIC to offload a qdisc takes the link down a little later
CARRIER_S = 8.0  # 1000BASE-T takes 1 to 3 s to negotiate
PATIENCE = 20  # looks at the queue: a busy machine's timers are late, and others send as well
NEAREST_BRIDGE = bytes.fromhex("0180c200000e")  # IEEE 802.1Q, table 8-1: not forwarded
EXPERIMENTAL = 0x88B5
HEADER = struct.Struct("=IHHII")
TCMSG = struct.Struct("=BBHiIII")
ATTRIBUTE = struct.Struct("=HH")


class Refusal(Exception):
    """The kernel's answer to a request that it does not fulfil."""

    def __init__(self, number: int, message: str, place: int = 0) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.place = place

    def as_record(self) -> dict[str, Any]:
        """For printing."""
        return {"errno": self.number, "message": self.message, "index": self.place}


class Kernel:
    """A netlink socket."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        for option in (CAP_ACK, EXT_ACK):
            self.socket.setsockopt(SOL_NETLINK, option, 1)
        self.socket.bind((0, 0))
        self.sequence = 0

    def ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Sends one request; returns the bodies of the answer, or raises Refusal."""
        self.sequence += 1
        header = HEADER.pack(HEADER.size + len(body), kind, REQUEST | flags, self.sequence, 0)
        self.socket.send(header + body)
        found: List[bytes] = []
        while True:
            for answer, answer_flags, data in messages(self.socket.recv(1 << 20)):
                if answer == ERROR:
                    number = -int(struct.unpack_from("=i", data)[0])
                    if number:
                        raise Refusal(number, explanation(data, answer_flags) or os.strerror(number))
                    return found
                if answer == DONE:
                    return found
                found.append(data)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, flags, body) of each message in what was received."""
    while len(data) >= HEADER.size:
        length, kind, flags, _, _ = HEADER.unpack_from(data)
        yield kind, flags, data[HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each attribute."""
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        if length < ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def explanation(data: bytes, flags: int) -> str:
    """The text of an extended acknowledgement, empty if there is none."""
    if not flags & ACK_TLVS:
        return ""
    original = HEADER.unpack_from(data, 4)[0]
    start = 4 + (HEADER.size if flags & CAPPED else original)
    found = dict(attributes(data[start:]))
    return found.get(ERROR_MESSAGE, b"").rstrip(b"\0").decode()


def addressed(body: bytes, index: int) -> bytes:
    """The same request for an interface."""
    return body[:4] + struct.pack("=i", index) + body[8:]


def qdiscs(kernel: Kernel, index: int) -> list[dict[str, Any]]:
    """Every qdisc of an interface, in the kernel's order."""
    found = []
    for body in kernel.ask(GETQDISC, DUMP, TCMSG.pack(0, 0, 0, index, 0, 0, 0)):
        _, _, _, owner, handle, parent, _ = TCMSG.unpack_from(body)
        if owner != index:
            continue
        stats = dict(attributes(dict(attributes(body[TCMSG.size :])).get(STATS2, b"")))
        qlen, _, drops = struct.unpack_from("=III", stats.get(STATS_QUEUE, bytes(20)))
        found.append({"handle": handle, "parent": parent, "qlen": qlen, "drops": drops, "body": body.hex()})
    return found


def without_root(kernel: Kernel, index: int) -> None:
    """Deletes the root qdisc, unless it is the kernel's own: what is there might be changed, or refuse to be."""
    if any(q["parent"] == ROOT and q["handle"] for q in qdiscs(kernel, index)):
        kernel.ask(DELQDISC, ACK, TCMSG.pack(0, 0, 0, index, 0, ROOT, 0))


def attempt(kernel: Kernel, index: int, body: bytes) -> dict[str, Any]:
    """Replaces the root qdisc, reads it back and deletes it again."""
    try:
        kernel.ask(NEWQDISC, ACK | REPLACE | CREATE, addressed(body, index))
        root = next(q for q in qdiscs(kernel, index) if q["parent"] == ROOT)
        kernel.ask(DELQDISC, ACK, TCMSG.pack(0, 0, 0, index, 0, ROOT, 0))
    except Refusal as refusal:
        return refusal.as_record()
    return root


def poke(kernel: Kernel, index: int, interface: str, order: dict[str, Any]) -> dict[str, Any]:
    """Sends frames that no bridge forwards, and counts those that no gate has let out."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((interface, 0))
        frame = NEAREST_BRIDGE + sender.getsockname()[4] + struct.pack("!H", EXPERIMENTAL) + bytes(46)
        for priority in order["poke"]:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
            sender.send(frame)
        for _ in range(PATIENCE):
            time.sleep(order["wait"] / 1e9)
            queued = next(q["qlen"] for q in qdiscs(kernel, index) if q["parent"] == ROOT)
            if not queued:
                break
    return {"sent": len(order["poke"]), "queued": queued}


def switched(interface: str, on: Optional[bool]) -> bool:
    """Whether the interface was switched on; switches it on or off, unless told None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = interface.encode()
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", name, 0))
        flags = struct.unpack_from("16xH", answer)[0]
        if on is not None:
            wanted = flags | IFF_UP if on else flags & ~IFF_UP
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", name, wanted))
    return bool(flags & IFF_UP)


def carrier(interface: str) -> bool:
    """Whether the link is up; not IFF_RUNNING, which the kernel sets some time later."""
    with open("/sys/class/net/" + interface + "/carrier", encoding="ascii") as file:  # noqa: PTH123 - fast to start
        return file.read().strip() == "1"


def await_carrier(interface: str) -> bool:
    """Waits until the link has been negotiated; False if it is not after a while, as without a cable."""
    until = time.monotonic() + CARRIER_S
    while not carrier(interface):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def rebuild(kernel: Kernel, index: int, interface: str, order: dict[str, Any]) -> dict[str, Any]:
    """Sets an interface's qdiscs anew, with the link down, as its children stop a taprio that runs."""
    was_up = switched(interface, False)
    refused = None
    try:
        establish_all(kernel, index, order)
    except Refusal as refusal:
        refused = refusal
    finally:
        if was_up:
            switched(interface, True)
    late = was_up and not carrier(interface) and await_carrier(interface)
    if refused is not None:
        if not late:
            raise refused
        # while its link is down an interface may count as one of 10 Mbit/s, for which short entries are refused
        establish_all(kernel, index, order)
        time.sleep(SETTLE_S)
        await_carrier(interface)
    if late and any(is_taprio(q["body"]) for q in qdiscs(kernel, index)):
        # the link came later than the interface, and a taprio that runs is stopped by that: start it again
        establish(kernel, index, order["qdiscs"][0], 0)
    report: dict[str, Any] = {"was_up": was_up}
    if was_up:
        until = time.monotonic() + order["patience"] / 1e9
        while any(pending(q["body"]) for q in qdiscs(kernel, index)) and time.monotonic() < until:
            time.sleep(0.001)
        if order["poke"]:
            report.update(poke(kernel, index, interface, order))
    return report


def establish_all(kernel: Kernel, index: int, order: dict[str, Any]) -> None:
    """Sets every qdisc in order, in place of those that are there."""
    without_root(kernel, index)
    for place, request in enumerate(order["qdiscs"]):
        establish(kernel, index, request, place)


def establish(kernel: Kernel, index: int, request: Any, place: int) -> None:
    """Sets one qdisc, by netlink or by a command."""
    if isinstance(request, str):
        try:
            kernel.ask(NEWQDISC, ACK | REPLACE | CREATE, addressed(bytes.fromhex(request), index))
        except Refusal as refusal:
            refusal.place = place
            raise
    elif os.spawnvp(os.P_WAIT, request[0], request):
        raise Refusal(errno.EINVAL, "see above", place)


def pending(body: str) -> bool:
    """Whether a qdisc has a schedule that waits for its base time."""
    found = dict(attributes(bytes.fromhex(body)[TCMSG.size :]))
    return is_taprio(body) and ADMIN_SCHEDULE in dict(attributes(found.get(OPTIONS, b"")))


def is_taprio(body: str) -> bool:
    """Whether a qdisc is one with gates."""
    return dict(attributes(bytes.fromhex(body)[TCMSG.size :])).get(KIND, b"").startswith(b"taprio")


def say(record: dict[str, Any]) -> None:
    """Prints one record as a JSON line."""
    sys.stdout.write(json.dumps(record) + "\n")


def main() -> int:
    """Does what the command line says."""
    interface, command, *rest = sys.argv[1:]
    kernel, index = Kernel(), socket.if_nametoindex(interface)
    try:
        if command == "rebuild":
            report = rebuild(kernel, index, interface, json.loads(rest[0]))
            say({**report, "qdiscs": qdiscs(kernel, index)})
        elif command == "show":
            say({"qdiscs": qdiscs(kernel, index)})
        elif command == "poke":
            say(poke(kernel, index, interface, json.loads(rest[0])))
        elif command == "try":
            without_root(kernel, index)
            with open(rest[0], encoding="ascii") as file:  # noqa: PTH123 - fast to start
                for line in file:
                    say(attempt(kernel, index, bytes.fromhex(line)))
    except Refusal as refusal:
        say(refusal.as_record())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The programs that set a machine's clock by NTP: their files as texts, and what they say of their servers.

Everything here works on text that is given; nothing is read or run.
Source: chrony.conf(5), chronyc(1); ntp.conf(5), ntpq(8); timesyncd.conf(5), timedatectl(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MARK = "# tsnlab: "
# servers of others; and what tells the kernel of the 37 s between UTC and TAI, which the guide's `-O 0` has as 0
_CHRONY_OUT = re.compile(r"\s*(server|pool|peer|sourcedir|leapsectz|leapseclist)\b")
_NTP_OUT = re.compile(r"\s*(server|pool|peer|leapfile)\b")


@dataclass(frozen=True)
class Daemon:
    """One such program.

    Attributes:
        units: names of its service, by distribution.
        files: where its configuration is, by distribution; the first is made if it is of our own.
        own_file: whether the file is one of our own that adds to the system's.
        edit: the configuration with other servers.
        ask: the command that tells how the servers answer.
        reached: of what that says, the servers that have answered.
    """

    name: str
    units: tuple[str, ...]
    files: tuple[str, ...]
    edit: Callable[[str, Sequence[str]], str]
    ask: tuple[str, ...]
    reached: Callable[[str], list[str]]
    own_file: bool = False


def chrony_conf(text: str, servers: Sequence[str]) -> str:
    """Chrony's file with these servers and no others; a server of the machine's own (``local``) stays."""
    return _edited(text, servers, _CHRONY_OUT)


def ntp_conf(text: str, servers: Sequence[str]) -> str:
    """The file of ntpd and ntpsec with these servers and no others."""
    return _edited(text, servers, _NTP_OUT)


def timesyncd_conf(text: str, servers: Sequence[str]) -> str:
    """A file beside that of systemd-timesyncd, which takes the place of all servers that it has."""
    return f"# written by tsnlab\n[Time]\nNTP=\nNTP={' '.join(servers)}\nFallbackNTP=\n"


def chrony_reached(said: str) -> list[str]:
    """Those that have answered, of ``chronyc -n -c sources``: mode, state, name, stratum, poll, reach in octal, ..."""
    rows = [line.split(",") for line in said.splitlines()]
    return [row[2] for row in rows if len(row) > 5 and row[0] == "^" and _octal(row[5])]


def ntp_reached(said: str) -> list[str]:
    """Those that have answered, of ``ntpq -pn``: a mark and the name, ..., the seventh column is reach in octal."""
    rows = [(line[1:].split(), line[:1]) for line in said.splitlines()]
    return [row[0] for row, _ in rows if len(row) > 9 and _octal(row[6])]


def timesyncd_reached(said: str) -> list[str]:
    """The one that has answered, of ``timedatectl show-timesync``; there is no message before."""
    values = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    answered = "PacketCount" in values.get("NTPMessage", "")
    return [values.get("ServerAddress") or values.get("ServerName", "")] if answered else []


DAEMONS = (
    Daemon(
        "chrony",
        ("chronyd", "chrony"),
        ("/etc/chrony.conf", "/etc/chrony/chrony.conf"),
        chrony_conf,
        ("chronyc", "-n", "-c", "sources"),
        chrony_reached,
    ),
    Daemon(
        "ntpd",
        ("ntpd", "ntp", "ntpsec"),
        ("/etc/ntpsec/ntp.conf", "/etc/ntp.conf"),
        ntp_conf,
        ("ntpq", "-pn"),
        ntp_reached,
    ),
    Daemon(
        "systemd-timesyncd",
        ("systemd-timesyncd",),
        ("/etc/systemd/timesyncd.conf.d/tsnlab.conf",),
        timesyncd_conf,
        ("timedatectl", "show-timesync", "-p", "ServerName", "-p", "ServerAddress", "-p", "NTPMessage"),
        timesyncd_reached,
        own_file=True,
    ),
)
"""In the order of preference where none of them runs."""


def _edited(text: str, servers: Sequence[str], out: re.Pattern[str]) -> str:
    ours = [f"server {server} iburst" for server in servers]
    lines = [f"{_MARK}{line}" if out.match(line) and line.strip() not in ours else line for line in text.splitlines()]
    missing = [line for line in ours if line not in lines]
    return "\n".join([*lines, *([f"{_MARK}the lab's time servers", *missing] if missing else [])]) + "\n"


def _octal(text: str) -> int:
    return int(text, 8) if re.fullmatch(r"[0-7]+", text) else 0

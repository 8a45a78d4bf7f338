"""Unicast discovery: tables of sources that a port asks for their service, as ptp4l's configuration has them.

Source: ptp4l(8), UNICAST DISCOVERY OPTIONS; linuxptp's config.c.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from tsnlab.errors import ConfigError

_MAC = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")


@dataclass(frozen=True)
class UnicastTable:
    """One section [unicast_master_table].

    Attributes:
        number: `table_id`, from 1 on; a port names it in `unicast_master_table`.
        sources: (L2, UDPv4 or UDPv6; address) of each possible source.
        log_query_interval: how often each is asked, as a power of two in seconds.
        peer_address: for the delay mechanism P2P, the neighbour's; empty without one.
    """

    number: int
    sources: tuple[tuple[str, str], ...]
    log_query_interval: int = 0
    peer_address: str = ""

    def __post_init__(self) -> None:
        """Checks the table.

        Raises:
            ConfigError: says what is wrong with it.
        """
        problems = [] if 0 < self.number < 1 << 31 else [f"table_id {self.number}: is not within 1 to 2147483647"]
        if not -128 <= self.log_query_interval <= 127:
            problems.append(f"logQueryInterval {self.log_query_interval}: is not within -128 to 127")
        problems += [] if self.sources else ["names no source"]
        told = [(transport, address, _wrong(transport, address)) for transport, address in self.sources]
        problems += [f"{transport} {address}: {why}" for transport, address, why in told if why]
        if problems:
            raise ConfigError(f"ptp4l's configuration, unicast table {self.number}:\n  " + "\n  ".join(problems))

    def lines(self) -> list[str]:
        """The section, line by line."""
        peer = [("peer_address", self.peer_address)] if self.peer_address else []
        entries = [("table_id", str(self.number)), ("logQueryInterval", str(self.log_query_interval)), *peer]
        return ["[unicast_master_table]", *(f"{name:23} {value}" for name, value in (*entries, *self.sources))]


def _wrong(transport: str, address: str) -> str:
    if transport == "L2":
        return "" if _MAC.fullmatch(address) else "is no MAC address"
    version = {"UDPv4": ipaddress.IPv4Address, "UDPv6": ipaddress.IPv6Address}.get(transport)
    if version is None:
        return "the transport is none of L2, UDPv4, UDPv6"
    try:
        version(address)
    except ValueError:
        return f"is no address of {transport}"
    return ""

"""A VLAN interface as a value, with its map from socket priorities to priority code points.

Source: the guide, Step 1 and Step 3, Case 2 (`vconfig set_egress_map eth1.3 6 6`); ip-link(8).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tsnlab import files
from tsnlab.schedule.value import Comparable

Code = Annotated[int, Field(ge=0, le=7)]


class Vlan(Comparable):
    """A VLAN interface over another one."""

    number: Annotated[int, Field(ge=1, le=4094)]
    egress: dict[Annotated[int, Field(ge=0, le=15)], Code] = Field(default_factory=dict)
    """Priority code point of each socket priority; what is not named becomes 0."""

    def to_ip(self, parent: str, name: str) -> list[str]:
        """The arguments after ``ip link add``."""
        qos = [f"{priority}:{pcp}" for priority, pcp in sorted(self.egress.items())]
        words = ["link", parent, "name", name, "type", "vlan", "id", str(self.number)]
        return [*words, "egress-qos-map", *qos] if qos else words

    @classmethod
    def from_ip_json(cls, link: dict[str, Any]) -> Vlan:
        """The VLAN in what ``ip -d -j link show`` gives.

        Raises:
            ConfigError: it is no VLAN interface.
        """
        data = link.get("linkinfo", {}).get("info_data", {})
        egress = {entry["from"]: entry["to"] for entry in data.get("egress_qos", [])}
        return files.check({"number": data.get("id", 0), "egress": egress}, cls, str(link.get("ifname")))

    def __str__(self) -> str:
        mapped = "".join(f", priority {priority} as PCP {pcp}" for priority, pcp in sorted(self.egress.items()))
        return f"VLAN {self.number}{mapped}"

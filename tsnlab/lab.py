"""The lab file: nodes, interfaces, links, and who plays which role, as checked values."""

from __future__ import annotations

import datetime
import ipaddress
import re
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tsnlab import files
from tsnlab.paths import PARAMS
from tsnlab.quantity import DurationNs, RateBps, show_duration, show_rate


def _mac(value: str) -> str:
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", value):
        raise ValueError(f"expected a MAC address such as 02:00:00:00:00:01; got {value!r}")
    return value


def _address(value: str) -> str:
    try:
        ipaddress.IPv4Interface(value)
    except ValueError:
        raise ValueError(f"expected an IPv4 address with its prefix such as 192.168.1.1/24; got {value!r}") from None
    return value


def _name(value: str) -> str:
    # The kernel's limit is 15 characters; two are the prefix of the interface that models the wire.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", value):
        raise ValueError(f"expected a name of at most 13 letters, digits, '_', '.', '-'; got {value!r}")
    return value


Name = Annotated[str, AfterValidator(_name)]


class Interface(files.Value):
    """A network interface of a node."""

    mac: Annotated[str, AfterValidator(_mac)] | None = None
    """A hardware lab may leave it to the node to say."""

    address: Annotated[str, AfterValidator(_address)] | None = None
    queues: Annotated[int, Field(ge=1, le=16)] = 4
    etf_offload: bool = False
    """Whether the interface launches frames itself (LaunchTime), as an I210 does on queues 0 and 1."""

    nic: Literal["veth", "i210"] | None = None
    """What it is in the virtual lab; None for the lab's."""


class InContainer(files.Value):
    """A container that is a node of the lab, on another of its nodes."""

    node: str
    """The node it runs on."""

    name: str = "tsn"
    engine: Literal["docker", "nerdctl", "ctr"] = "docker"
    image: str = "kata_tsn_image"
    runtime: str = "kata-runtime"
    passed_in: str
    """The NIC that it is given: PCI address, interface or PCI ID on the node it runs on."""


class Switch(files.Value):
    """How the node that is the switch is configured (hardware only: the virtual lab's is a bridge already)."""

    network: Literal["as it is", "scripts", "bridge"] = "as it is"
    """``scripts``: the guide's network scripts, and no NetworkManager; ``bridge``: a bridge of Linux is made."""

    management: Name | None = None
    """The interface that the switch is reached over, which has a script as well."""

    service_port: Name | None = None
    """The guide's card: its own end point (SE01), which is no port of the bridge."""

    internal_port: Name | None = None
    """The guide's card: the bridge's port towards the machine that it is in (IE01)."""

    gates: Literal["software", "tc", "tsntool", "sysfs", "by hand"] = "software"
    """How 802.1Qbv is set: taprio in software or in hardware (``tc``), TTTech's ``tsntool``, its driver's files."""


class NodeClock(files.Value):
    """The oscillators of a node's interfaces, and how far off the time is that their drivers begin with (i210 only)."""

    error_ppb: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    offset: DurationNs = 0


class Node(files.Value):
    """A host of the lab."""

    title: str
    ssh: str | None = None
    """Where it is reached (hardware only): as for ssh(1), also ``user@10.0.0.1:2222``; ~/.ssh/config is read."""

    sudo: bool = False
    """Whether the user who is logged in has to become root by sudo."""

    container: InContainer | None = None
    """It is a container (hardware only)."""

    interfaces: dict[Name, Interface]
    clock: NodeClock = NodeClock()
    """The clocks of its interfaces."""

    bridge: Name | None = None
    """The bridge that joins the interfaces; makes the node a switch."""

    switch: Switch | None = None

    timestamping: Literal["hardware", "software"] | None = None
    """Where frames of the time synchronisation are stamped; None for hardware if its interfaces can."""

    ptp4l: dict[str, str] = Field(default_factory=dict)
    """Options of its ptp4l that are not the guide's, by ptp4l's names."""


class Endpoint(files.Value):
    """An interface of a node, written ``node1:eth1``."""

    node: str
    interface: str

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            node, colon, interface = value.partition(":")
            if not colon:
                raise ValueError(f"expected NODE:INTERFACE such as node1:eth1; got {value!r}")
            return {"node": node, "interface": interface}
        return value

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


class Link(files.Value):
    """A cable: both directions have the same rate and propagation delay."""

    ends: tuple[Endpoint, Endpoint]
    rate: Annotated[RateBps, Field(gt=0)]
    delay: Annotated[DurationNs, Field(ge=0)]
    jitter: Annotated[DurationNs, Field(ge=0)] = 0
    """Up to so much more delay, at random (i210 only)."""

    loss: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the frames that arrive garbled (i210 only)."""

    seed: int = 1
    """Of jitter and loss."""


class Roles(files.Value):
    """Which interface plays which part in the guide's experiment."""

    talker: Endpoint
    listener: Endpoint
    load_source: Endpoint
    load_sink: Endpoint
    switch: str


class LabFile(files.Value):
    """A lab, as its file describes it."""

    name: str
    kind: Literal["virtual", "hardware"]
    kernel: Literal["built", "debian"] = "built"
    """``built``: tsnlab's own kernel in virtual time; ``debian``: Debian's user-mode-linux on the wall clock."""

    nic: Literal["veth", "i210"] = "veth"
    """What the interfaces of the virtual lab are: pairs of veth, quick, or Intel I210 with clocks of their own."""

    start_time: datetime.datetime | None = None
    """CLOCK_REALTIME when the virtual lab boots (virtual time only)."""

    ptp_profile: Literal["guide", "gptp"] = "guide"
    """The time synchronisation's configuration: the guide's, or that of IEEE 802.1AS as linuxptp has it."""

    sync_threshold: Annotated[DurationNs, Field(gt=0)] | None = None
    """Largest offset of a clock that counts as synchronised; None for what the timestamps of the lab allow."""

    badge: str | None = None
    """What every figure and file of a hardware lab says about its machines; None for ``hardware``."""

    ntp: Literal["as it is", "free"] | list[str] = "as it is"
    """Time servers of the switch and of the node with the containers; ``free``: nobody sets their clocks (hardware)."""

    nodes: dict[Name, Node]
    links: list[Link]
    roles: Roles

    @model_validator(mode="after")
    def _says_where_its_nodes_are(self) -> Self:
        if self.kind == "virtual":
            if self.start_time is None:
                raise ValueError("start_time: missing")
            for name, node in self.nodes.items():
                for interface, about in node.interfaces.items():
                    if about.mac is None:
                        raise ValueError(f"nodes.{name}.interfaces.{interface}.mac: missing")
            return self
        for name, node in self.nodes.items():
            if (node.ssh is None) == (node.container is None):
                raise ValueError(f"nodes.{name}: a node of a hardware lab has either ssh or container")
            if node.container is not None and node.container.node not in self.nodes:
                raise ValueError(f"nodes.{name}.container.node: there is no node {node.container.node!r} in nodes")
        return self

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        ends = [end for link in self.links for end in link.ends]
        roles = [getattr(self.roles, role) for role in ("talker", "listener", "load_source", "load_sink")]
        for end in [*ends, *roles]:
            self._check_endpoint(end)
        if len({str(end) for end in ends}) != len(ends):
            raise ValueError("links: an interface is the end of two links")
        if self.roles.switch not in self.nodes:
            raise ValueError(f"roles.switch: there is no node {self.roles.switch!r} in nodes")
        if self.nodes[self.roles.switch].bridge is None:
            raise ValueError(f"nodes.{self.roles.switch}.bridge: missing, but the node is the switch")
        return self

    @model_validator(mode="after")
    def _has_nics_that_fit(self) -> Self:
        for link in self.links:
            kinds = {self.nic_of(end) for end in link.ends}
            if len(kinds) > 1:
                raise ValueError(f"links: {link.ends[0]} and {link.ends[1]} cannot be linked: one is veth, one an i210")
            if kinds == {"veth"} and link.delay % 1000:
                raise ValueError(
                    f"links: {link.ends[0]}: delay: expected whole microseconds, the finest that tc-netem(8) knows;"
                    f" got {link.delay} ns"
                )
            if kinds == {"veth"} and (link.jitter or link.loss):
                raise ValueError(f"links: {link.ends[0]}: jitter and loss need an i210")
        modelled = any(self.nic_of(end) == "i210" for link in self.links for end in link.ends)
        if modelled and (self.kind, self.kernel) != ("virtual", "built"):
            raise ValueError("nic: i210 needs kind: virtual and kernel: built")
        return self

    def nic_of(self, end: Endpoint) -> Literal["veth", "i210"]:
        """What an interface of the virtual lab is."""
        return self.interface(end).nic or self.nic

    def _check_endpoint(self, end: Endpoint) -> None:
        if end.node not in self.nodes:
            raise ValueError(f"{end}: there is no node {end.node!r} in nodes ({', '.join(self.nodes)})")
        if end.interface not in self.nodes[end.node].interfaces:
            there = ", ".join(self.nodes[end.node].interfaces)
            raise ValueError(f"{end}: node {end.node!r} has no interface {end.interface!r} (it has {there})")

    @cached_property
    def start_ns(self) -> int:
        """``start_time`` in nanoseconds since 1970; a time without a zone is UTC."""
        moment = self.start_time
        if moment is None:
            return 0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return int(moment.timestamp()) * 1_000_000_000

    def interface(self, end: Endpoint) -> Interface:
        """The description of an endpoint."""
        return self.nodes[end.node].interfaces[end.interface]

    def port_of(self, end: Endpoint) -> Endpoint:
        """The other end of an interface's link: for a host, the switch port it is plugged into.

        Raises:
            KeyError: nothing is plugged in.
        """
        for link in self.links:
            for one, other in (link.ends, link.ends[::-1]):
                if one == end:
                    return other
        raise KeyError(str(end))

    def link_of(self, end: Endpoint) -> Link:
        """The link that is plugged into an interface."""
        return next(link for link in self.links if end in link.ends)

    def __str__(self) -> str:
        kernel = f", kernel: {self.kernel}" if self.kind == "virtual" else ""
        lines = [f"lab {self.name} ({self.kind}{kernel})"]
        for name, node in self.nodes.items():
            lines.append(f"  {name:8} {node.title}: {', '.join(node.interfaces)}")
        for link in self.links:
            lines.append(f"  {link.ends[0]} - {link.ends[1]}  {show_rate(link.rate)}, {show_duration(link.delay)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from tsnlab.show import network

        return f"<p><b>Lab {escape(self.name)}</b></p>{network.svg(self)}{network.table(self)}"


LABS = PARAMS / "labs"
"""Where the lab files are that come with tsnlab."""


def load_lab_file(name: str | Path = "virtual") -> LabFile:
    """Reads a lab file, by path or by the bare name of one that comes with tsnlab.

    Raises:
        ConfigError: names the file, the key and what was expected.
    """
    return files.load(files.find(name, LABS), LabFile)

"""The state of a port's gates as the driver of the guide's card tells it in /sys/class/net/PORT/ieee8021ST.

Source: kontron/kmod-tsnic-deip, deipce_fsc_sysfs.c, and kontron/kmod-edge-lkm, edge_sched.c; IEEE 802.1Q, 12.29.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.schedule import Entry
from tsnlab.switch import control_list

_READ = """\
cd "$1" || exit
for name in GateEnabled AdminCycleTime AdminBaseTime OperCycleTime OperBaseTime ConfigPending ConfigChangeError \
            CurrentTime TickGranularity SupportedListMax SupportedIntervalMax AdminGateStates; do
  [ ! -e "$name" ] || echo "$name $(cat "$name")"
done
for name in AdminControlList OperControlList; do
  echo "$name $(od -An -v -tx1 "$name" | tr -d ' \\n')"
done
"""

_LONGEST_ROW_NS = 65_535 * 8
"""A row counts 16 bits of the card's clock of 125 MHz, where the driver does not say how much it can."""


@dataclass(frozen=True)
class PortState:
    """The gates of a port.

    Attributes:
        enabled: whether they move at all.
        running, prepared: the list that is carried out, and the one that was written last.
        cycle_ns, base_ns: of the running list.
        pending: whether the prepared one waits for its base time.
        errors: how often the driver has changed what it was told.
        now_ns: the time of the port's clock.
        tick_ns: the grid that changes of the gates lie on.
        longest_ns, rows: of a row, and how many there are.
        states: which gates are open while they do not move.
        prepared_cycle, prepared_base: as the driver writes them.
    """

    enabled: bool
    running: tuple[Entry, ...]
    prepared: tuple[Entry, ...]
    cycle_ns: int
    base_ns: int
    pending: bool
    errors: int
    now_ns: int
    tick_ns: int
    longest_ns: int
    rows: int
    states: str
    prepared_cycle: str
    prepared_base: str

    def carries_out(self, entries: list[Entry], cycle_ns: int, reference_ns: int) -> bool:
        """Whether the gates move by a list whose cycles are counted from an instant."""
        return (
            self.enabled
            and not self.pending
            and self.cycle_ns == cycle_ns
            and (self.base_ns - reference_ns) % cycle_ns == 0
            and control_list.merged(self.running) == control_list.merged(entries)
        )

    def __str__(self) -> str:
        if not self.enabled:
            return "gates open"
        state = f"{len(self.running)} rows, cycle {self.cycle_ns / 1000:g} us"
        return f"{state}, another pending" if self.pending else state


def folder(port: str) -> str:
    """Where the driver tells of a port's gates."""
    return f"/sys/class/net/{port}/ieee8021ST"


def read(host: Host, port: str) -> PortState:
    """The gates of a port now.

    Raises:
        StepError: the port has none, or its driver is another one.
    """
    result = host.run(["sh", "-c", _READ, "gates", folder(port)], check=False)
    said = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if " " in line.strip())
    if result.returncode or "GateEnabled" not in said:
        raise StepError(
            f"{host.name}: {port} has no gates that its driver tells of in {folder(port)}\n"
            "what to do: load the driver of the card (`modprobe deipce`), or say in the lab file, under switch.gates,"
            " how the gates of this switch are set (tc for a driver with taprio of its own)"
        )
    running, prepared = (
        tuple(control_list.from_bytes(bytes.fromhex(said.get(name, ""))))
        for name in ("OperControlList", "AdminControlList")
    )
    tick_ns = max(1, int(said.get("TickGranularity", "10")) // 10)
    longest = int(said.get("SupportedIntervalMax", _LONGEST_ROW_NS))
    return PortState(
        enabled=said["GateEnabled"] == "1",
        running=running,
        prepared=prepared,
        cycle_ns=control_list.cycle_of(said.get("OperCycleTime", "0/1")),
        base_ns=control_list.time_of(said.get("OperBaseTime", "0")),
        pending=said.get("ConfigPending", "0") == "1",
        errors=int(said.get("ConfigChangeError", "0")),
        now_ns=control_list.time_of(said["CurrentTime"]) if "CurrentTime" in said else _realtime(host),
        tick_ns=tick_ns,
        longest_ns=longest // tick_ns * tick_ns,
        rows=int(said.get("SupportedListMax", "1023")),
        states=said.get("AdminGateStates", "0xff"),
        prepared_cycle=said.get("AdminCycleTime", "1/2"),
        prepared_base=said.get("AdminBaseTime", "0.000000000"),
    )


def _realtime(host: Host) -> int:
    return control_list.time_of(host.run(["date", "+%s.%N"]).stdout.strip())

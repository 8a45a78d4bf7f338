"""The device as a whole: what the PCI function, the MAC and the PHY are wired up to."""

from __future__ import annotations

from dataclasses import dataclass

from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.cable import Cable
from tsnlab.virtual.device.clock import HardwareClock
from tsnlab.virtual.device.memory import GuestMemory
from tsnlab.virtual.device.pci import Config, Identity, Msix
from tsnlab.virtual.device.vhost import Endpoint
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210.interrupts import Interrupts
from tsnlab.virtual.i210.phy import Phy
from tsnlab.virtual.i210.receive import Receiver
from tsnlab.virtual.i210.statistics import CRCERRS, Statistics
from tsnlab.virtual.i210.timesync import TimeSync
from tsnlab.virtual.i210.transmit import Transmitter

IDENTITY = Identity(vendor=0x8086, device=0x157B, subsystem=0x0000, revision=0x03)
"""I210, copper, without flash: the one in the guide's NUC."""

_REGISTER_BAR, _MSIX_BAR = 0, 3
_REGISTER_SPACE, _MSIX_SPACE = 1 << 17, 1 << 14

_AUTO_READ_DONE, _CONFIGURED = 1 << 9, 1 << 18
_SPEED_BITS = {1_000_000_000: r.STATUS_SPEED_1000, 100_000_000: r.STATUS_SPEED_100}


class _Line:
    """The transmitter's view of the cable."""

    def __init__(self, cable: Cable | None) -> None:
        self._cable = cable
        self.end = 0

    @property
    def rate(self) -> int:
        return self._cable.rate if self._cable is not None else 0

    def send(self, frame: bytes, stamp_ns: int, end_ns: int) -> None:
        if self._cable is not None:
            self._cable.send(self.end, frame, stamp_ns, end_ns)


@dataclass
class Faults:
    """What can be made to go wrong with a device.

    Attributes:
        gone: it has fallen off the bus: every read gives ones, nothing is sent or received.
    """

    gone: bool = False


class I210:
    """One I210.

    Args:
        name: how errors call it, such as ``node1:eth1``.
        mac: its address.
        agenda: the lab's events.
        clock: the clock that stamps its frames.
        cable: what it is plugged into; None if nothing is.
        offset_ns: see :class:`tsnlab.virtual.i210.timesync.TimeSync`.
    """

    def __init__(
        self, name: str, mac: str, agenda: Agenda, clock: HardwareClock, cable: Cable | None, offset_ns: int = 0
    ) -> None:
        self.name = name
        self.faults = Faults()
        self.cable = cable
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._agenda = agenda
        self._endpoint: Endpoint | None = None
        windows = {_REGISTER_BAR: _REGISTER_SPACE, _MSIX_BAR: _MSIX_SPACE}
        self._config = Config(IDENTITY, windows, r.VECTORS, _MSIX_BAR)
        self._msix = Msix(r.VECTORS, self._config, self._message)
        self.registers = r.Registers()
        self._line = _Line(cable)
        self.interrupts = Interrupts(self.registers, self._msix, agenda)
        self.statistics = Statistics(self.registers)
        self.timesync = TimeSync(self.registers, self.interrupts, agenda, clock, offset_ns)
        self.transmitter = Transmitter(
            self.registers, self.interrupts, self.statistics, self.timesync, agenda, self._line
        )
        self.receiver = Receiver(self.registers, self.interrupts, self.statistics, self.timesync)
        self.phy = Phy(cable, lambda: bool(self.registers.get(r.CTRL) & r.CTRL_SLU))
        if cable is not None:
            self._line.end = cable.plug(self)
        self.registers.on_read(r.STATUS, self._status)
        self.registers.on_read(r.EECD, lambda: _AUTO_READ_DONE)
        self.registers.on_read(r.EEMNGCTL, lambda: _CONFIGURED)
        self.registers.on_write(r.CTRL, self._control)
        self.registers.on_write(r.MDIC, self._manage)
        self.registers.on_write(r.SWSM, lambda value: self.registers.clear_bits(r.SWSM, 1))
        self._reset()
        self.phy.renegotiate()

    # --- PCI --------------------------------------------------------------------------------------

    def attach(self, endpoint: Endpoint, memory: GuestMemory) -> None:
        """The guest is there, and this is its memory."""
        self._endpoint = endpoint
        self.transmitter.attach(memory)
        self.receiver.attach(memory)

    def read_config(self, offset: int, size: int) -> int:
        """Reads configuration space."""
        return _ones(size) if self.faults.gone else self._config.read(offset, size)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """Writes configuration space."""
        if not self.faults.gone:
            self._config.write(offset, size, value)
            self._release()

    def read(self, bar: int, offset: int, size: int) -> int:
        """Reads a register, or the table of interrupt vectors."""
        if self.faults.gone:
            return _ones(size)
        if bar == _REGISTER_BAR:
            return self.registers.read(offset) & _ones(size)
        return self._msix.read(offset, size) if bar == _MSIX_BAR else _ones(size)

    def write(self, bar: int, offset: int, size: int, value: int) -> None:
        """Writes a register, or the table of interrupt vectors."""
        if self.faults.gone:
            return
        if bar == _REGISTER_BAR:
            self.registers.write(offset, value & 0xFFFFFFFF)
        elif bar == _MSIX_BAR:
            self._msix.write(offset, size, value)
            self._release()

    # --- the cable --------------------------------------------------------------------------------

    def speeds(self) -> set[int]:
        """The rates that the PHY offers, bit/s."""
        return set() if self.faults.gone else self.phy.speeds()

    def link_changed(self, rate: int) -> None:
        """The link is up at a rate, or down (0)."""
        self.phy.rate = rate
        self.interrupts.cause(r.ICR_LSC)
        if rate:
            self.transmitter.work()

    def arrive(self, frame: bytes, stamp_ns: int) -> None:
        """A frame has been received whole."""
        if not self.faults.gone:
            self.receiver.arrive(frame, stamp_ns, self.phy.rate)

    def garbled(self) -> None:
        """A frame has been received whose checksum is wrong."""
        self.statistics.count(CRCERRS)

    def die(self) -> None:
        """Falls off the bus, for good."""
        self.faults.gone = True
        self.transmitter.reset()
        self.receiver.reset()
        self.phy.renegotiate()

    # --- MAC --------------------------------------------------------------------------------------

    def _message(self, data: int) -> None:
        if self._endpoint is not None and not self.faults.gone:
            self._endpoint.interrupt(data)

    def _release(self) -> None:
        if self._msix.holds_back:
            self._agenda.at(self._agenda.now(), self._msix.release)

    def _status(self) -> int:
        value = r.STATUS_FD | _SPEED_BITS.get(self.phy.rate, 0) | (r.STATUS_LU if self.phy.rate else 0)
        if not self.registers.get(r.CTRL) & r.CTRL_MASTER_DISABLE:
            value |= r.STATUS_MASTER_ENABLE
        return value

    def _control(self, value: int) -> None:
        if value & (r.CTRL_RST | r.CTRL_DEV_RST):
            self._reset()
        elif value & r.CTRL_PHY_RST:
            self.registers.clear_bits(r.CTRL, r.CTRL_PHY_RST)
            self.phy.reset()

    def _manage(self, value: int) -> None:
        self.registers.kept[r.MDIC] = self.phy.command(value)

    def _reset(self) -> None:
        """A reset of the MAC; the PHY keeps its settings (data sheet, section 4.3)."""
        self.registers.kept[r.CTRL] = r.CTRL_SLU
        self.interrupts.reset()
        self.timesync.reset()
        self.transmitter.reset()
        self.receiver.reset()
        low, high = self._mac[:4], self._mac[4:]
        self.registers.kept[r.RAL0] = int.from_bytes(low, "little")
        self.registers.kept[r.RAH0] = int.from_bytes(high, "little") | r.RAH_AV


def _ones(size: int) -> int:
    return (1 << 8 * size) - 1

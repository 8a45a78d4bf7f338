"""Addresses and bits of the I210's registers, in the words of the driver's e1000_regs.h and e1000_defines.h."""

from __future__ import annotations

from collections.abc import Callable

# --- device -----------------------------------------------------------------------------------------
CTRL, STATUS, EECD, EERD, CTRL_EXT, MDIC = 0x0000, 0x0008, 0x0010, 0x0014, 0x0018, 0x0020
SWSM, FWSM, SW_FW_SYNC = 0x5B50, 0x5B54, 0x5B5C
EEMNGCTL = 0x12030
CTRL_SLU, CTRL_MASTER_DISABLE, CTRL_DEV_RST, CTRL_RST, CTRL_VME, CTRL_PHY_RST = (
    1 << 6, 1 << 2, 1 << 29, 1 << 26, 1 << 30, 1 << 31,
)  # fmt: skip
STATUS_FD, STATUS_LU, STATUS_SPEED_100, STATUS_SPEED_1000 = 1 << 0, 1 << 1, 1 << 6, 1 << 7
STATUS_MASTER_ENABLE = 1 << 19

# --- interrupts -------------------------------------------------------------------------------------
ICR, ICS, IMS, IMC = 0x00C0, 0x00C8, 0x00D0, 0x00D8
EICS, EIMS, EIMC, EIAC, EIAM, EICR = 0x1520, 0x1524, 0x1528, 0x152C, 0x1530, 0x1580
GPIE, IVAR0, IVAR_MISC, EITR0 = 0x1514, 0x1700, 0x1740, 0x1680
GPIE_EIAME = 1 << 30
IVAR_VALID = 0x80
EITR_INTERVAL, EITR_KEEP_COUNTER = 0x7FFC, 1 << 31
ICR_LSC, ICR_TS, ICR_ASSERTED = 1 << 2, 1 << 19, 1 << 31

# --- transmit ---------------------------------------------------------------------------------------
TCTL, TXPBS, TQAVCTRL, TQAVCC0, LAUNCH_OS0 = 0x0400, 0x3404, 0x3570, 0x3004, 0x3578
TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL = 0x3800, 0x3804, 0x3808, 0x3810, 0x3818, 0x3828
TCTL_EN, TCTL_PSP = 1 << 1, 1 << 3
TXDCTL_ENABLE = 1 << 25
TQAVCTRL_QAV, TQAVCTRL_LAUNCH, TQAVCTRL_SP_WAIT_SR = 1 << 0, 1 << 9, 1 << 10
TQAVCC_SR = 1 << 31

# --- receive ----------------------------------------------------------------------------------------
RCTL, RXPBS, RLPML, MRQC, VLAPQF, ETQF0 = 0x0100, 0x2404, 0x5004, 0x5818, 0x55B0, 0x5CB0
RDBAL, RDBAH, RDLEN, SRRCTL, RDH, RDT, RXDCTL = 0x2800, 0x2804, 0x2808, 0x280C, 0x2810, 0x2818, 0x2828
RQDPC = 0x2830
MTA, RAL0, RAH0, VFTA, RETA = 0x5200, 0x5400, 0x5404, 0x5600, 0x5C00
RCTL_EN, RCTL_UPE, RCTL_MPE, RCTL_BAM, RCTL_VFE, RCTL_SECRC = 1 << 1, 1 << 3, 1 << 4, 1 << 15, 1 << 18, 1 << 26
RAH_AV, RAH_QSEL = 1 << 31, 1 << 28
SRRCTL_DROP, SRRCTL_TIMESTAMP = 1 << 31, 1 << 30
RXDCTL_ENABLE = 1 << 25
RXPBS_TIMESTAMP = 1 << 31
ETQF_ENABLE, ETQF_QUEUE_ENABLE = 1 << 26, 1 << 31

# --- time -------------------------------------------------------------------------------------------
SYSTIML, SYSTIMH, TIMINCA, SYSTIMR = 0xB600, 0xB604, 0xB608, 0xB6F8
TSYNCTXCTL, TXSTMPL, TXSTMPH, TSYNCRXCTL = 0xB614, 0xB618, 0xB61C, 0xB620
TSICR, TSIM = 0xB66C, 0xB674
TSYNC_VALID, TSYNC_ENABLED = 1 << 0, 1 << 4
TSYNCRXCTL_TYPE, TSYNCRXCTL_ALL = 0x0E, 0x08
TSICR_TXTS = 1 << 1

QUEUES = 4
VECTORS = 5

_QUEUE_STRIDE = 0x100
_HIGH_QUEUES = {0xC000: 0x2800, 0xE000: 0x3800}


def of_queue(register: int, queue: int) -> int:
    """The address of a queue's register."""
    return register + queue * _QUEUE_STRIDE


def canonical(address: int) -> int:
    """The same for every name of a register: those of a queue have a second address (data sheet, 8.10 and 8.12)."""
    low = _HIGH_QUEUES.get(address & ~0xFFF)
    if low is None or address & 0xFFF >= QUEUES * 0x40:
        return address
    queue, register = divmod(address & 0xFFF, 0x40)
    return low + queue * _QUEUE_STRIDE + register


class Registers:
    """All registers: those that only keep what is written, and those that do something.

    Attributes:
        kept: what was written, by address.
    """

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}
        self._readers: dict[int, Callable[[], int]] = {}
        self._writers: dict[int, Callable[[int], None]] = {}

    def on_read(self, address: int, reader: Callable[[], int]) -> None:
        """What is read there is what a function returns."""
        self._readers[address] = reader

    def on_write(self, address: int, writer: Callable[[int], None]) -> None:
        """A function is called after a value has been kept."""
        self._writers[address] = writer

    def read(self, address: int) -> int:
        """The value of a register."""
        if address >= 0xC000:
            address = canonical(address)
        reader = self._readers.get(address)
        return reader() if reader is not None else self.kept.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Writes a register."""
        if address >= 0xC000:
            address = canonical(address)
        self.kept[address] = value
        writer = self._writers.get(address)
        if writer is not None:
            writer(value)

    def get(self, address: int) -> int:
        """What was written last to a register, whatever reading it would do."""
        return self.kept.get(address, 0)

    def set_bits(self, address: int, bits: int) -> None:
        """Sets bits of what a register keeps."""
        self.kept[address] = self.kept.get(address, 0) | bits

    def clear_bits(self, address: int, bits: int) -> None:
        """Clears bits of what a register keeps."""
        self.kept[address] = self.kept.get(address, 0) & ~bits

"""The internal PHY, reached over MDIO, and the link it negotiates.

Sources: IEEE 802.3, clause 22.2.4 (registers 0 to 15); e1000_phy.c, igb_copper_link_setup_m88_gen2,
igb_get_phy_info_m88; e1000_i210.c, igb_pll_workaround_i210 (page 0xFC).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tsnlab.virtual.device.cable import Cable

ADDRESS = 1

_CONTROL, _STATUS, _ID1, _ID2, _ADVERTISED, _PARTNER = 0, 1, 2, 3, 4, 5
_GIGABIT_CONTROL, _GIGABIT_STATUS, _SPECIFIC_STATUS, _PAGE = 9, 10, 17, 22

_RESET, _POWER_DOWN, _RESTART = 0x8000, 0x0800, 0x0200
_LINK, _COMPLETE = 0x0004, 0x0020
_GIGABIT_FULL, _HUNDRED_FULL, _TEN_FULL = 0x0200, 0x0100, 0x0040
_SPECIFIC = {1_000_000_000: 0x8000, 100_000_000: 0x4000, 10_000_000: 0x0000}
_READ, _WRITE = 2, 1
_READY, _ERROR = 1 << 28, 1 << 30


class Phy:
    """The PHY's registers by page, and its end of a cable.

    Args:
        cable: what it is plugged into; None if nothing is.
        forced_up: tells whether the MAC lets the link come up (CTRL.SLU).
    """

    def __init__(self, cable: Cable | None, forced_up: Callable[[], bool]) -> None:
        self._cable = cable
        self._forced_up = forced_up
        self._kept: dict[tuple[int, int], int] = {}
        self.rate = 0
        self.reset()

    def reset(self) -> None:
        """Loses all that was written, and the link."""
        self._page = 0
        self._kept = {
            (0, _CONTROL): 0x1140,
            (0, _ADVERTISED): 0x01E1,
            (0, _GIGABIT_CONTROL): _GIGABIT_FULL,
        }
        self.renegotiate()

    def renegotiate(self) -> None:
        """Takes the link down and lets the two ends agree anew."""
        if self._cable is not None:
            self._cable.negotiate()

    def speeds(self) -> set[int]:
        """The rates that it offers, bit/s."""
        if self._kept[0, _CONTROL] & _POWER_DOWN or not self._forced_up():
            return set()
        advertised = self._kept[0, _ADVERTISED]
        offered = {1_000_000_000} if self._kept[0, _GIGABIT_CONTROL] & _GIGABIT_FULL else set()
        offered |= {100_000_000} if advertised & _HUNDRED_FULL else set()
        return offered | ({10_000_000} if advertised & _TEN_FULL else set())

    def command(self, mdic: int) -> int:
        """Does what is written to MDIC; returns what is read from it afterwards (data sheet, 8.2.4)."""
        operation, address, register = mdic >> 26 & 3, mdic >> 21 & 0x1F, mdic >> 16 & 0x1F
        # the address is in MDICNFG and the field of MDIC is not used, unless it is that of another PHY
        if address not in (0, ADDRESS):
            return mdic | _READY | _ERROR
        if operation == _READ:
            return mdic & ~0xFFFF | self._read(register) | _READY
        if operation == _WRITE:
            self._write(register, mdic & 0xFFFF)
        return mdic | _READY

    def _read(self, register: int) -> int:
        if register == _PAGE:
            return self._page
        if self._page == 0 and register in self._computed:
            return self._computed[register](self)
        return self._kept.get((self._page, register), 0)

    def _write(self, register: int, value: int) -> None:
        if register == _PAGE:
            self._page = value & 0xFF
        elif (self._page, register) == (0, _CONTROL):
            self._control(value)
        else:
            self._kept[self._page, register] = value

    def _control(self, value: int) -> None:
        before = self._kept[0, _CONTROL]
        # a software reset keeps the settings and begins to negotiate
        self._kept[0, _CONTROL] = value & ~(_RESET | _RESTART)
        if value & (_RESET | _RESTART) or (value ^ before) & _POWER_DOWN:
            self.renegotiate()

    def _status(self) -> int:
        return 0x7949 | (_LINK | _COMPLETE if self.rate else 0)

    def _partner(self) -> int:
        return 0x41E1 if self.rate else 0

    def _gigabit_status(self) -> int:
        return 0x7C00 if self.rate == 1_000_000_000 else 0

    def _specific_status(self) -> int:
        return 0x2C00 | _SPECIFIC[self.rate] if self.rate else 0

    _computed: ClassVar[dict[int, Callable[[Phy], int]]] = {
        _STATUS: _status,
        _ID1: lambda _self: 0x0141,
        _ID2: lambda _self: 0x0C00,
        _PARTNER: _partner,
        _GIGABIT_STATUS: _gigabit_status,
        _SPECIFIC_STATUS: _specific_status,
    }

"""Which received frames are taken, and into which queue.

Sources: data sheet, sections 7.1.1 (filters) and 7.1.2 (queue assignment); e1000_mac.c, igb_hash_mc_addr;
igb_ethtool.c, igb_rxnfc_write_etype_filter, igb_rxnfc_write_vlan_prio_filter; igb_main.c, igb_rar_set_index.
"""

from __future__ import annotations

from tsnlab.virtual.i210 import registers as r

ADDRESSES = 16
VLAN_TYPE = 0x8100

_ETHERTYPE_FILTERS = 8
_BROADCAST = b"\xff" * 6

KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
"""The key of the hash of flows. The driver's own is random: with it, a repetition would use other queues."""


class Steering:
    """The filters, and the assignment to queues."""

    def __init__(self, registers: r.Registers) -> None:
        self._registers = registers
        self._hashes: dict[bytes, int] = {}

    def accepts(self, frame: bytes) -> bool:
        """Whether a frame passes the filters of addresses and VLANs."""
        control = self._registers.get(r.RCTL)
        return self._accepts_address(frame[:6], control) and self._accepts_vlan(frame, control)

    def queue(self, frame: bytes) -> int:
        """The queue of a frame: by its EtherType, its address, its priority, or the hash of its flow."""
        get = self._registers.get
        tag = tag_of(frame)
        kind = int.from_bytes(frame[12:14] if tag is None else frame[16:18], "big")
        for number in range(_ETHERTYPE_FILTERS):
            entry = get(r.ETQF0 + 4 * number)
            if entry & r.ETQF_ENABLE and entry & r.ETQF_QUEUE_ENABLE and entry & 0xFFFF == kind:
                return entry >> 16 & 3
        slot = self._slot(frame[:6])
        if slot is not None and (high := get(r.RAH0 + 8 * slot)) & r.RAH_QSEL:
            return high >> 18 & 3
        if tag is not None:
            priority = get(r.VLAPQF) >> 4 * (tag >> 13) & 0xF
            if priority & 8:
                return priority & 3
        return self._hashed(frame, kind, 14 if tag is None else 18)

    def _accepts_address(self, address: bytes, control: int) -> bool:
        if address == _BROADCAST:
            return bool(control & r.RCTL_BAM)
        if address[0] & 1:
            if control & r.RCTL_MPE or self._slot(address) is not None:
                return True
            value = (address[4] >> 4 | address[5] << 4) & 0xFFF
            return bool(self._registers.get(r.MTA + 4 * (value >> 5)) >> (value & 31) & 1)
        return bool(control & r.RCTL_UPE) or self._slot(address) is not None

    def _accepts_vlan(self, frame: bytes, control: int) -> bool:
        tag = tag_of(frame)
        if tag is None or not control & r.RCTL_VFE:
            return True
        number = tag & 0xFFF
        return bool(self._registers.get(r.VFTA + 4 * (number >> 5)) >> (number & 31) & 1)

    def _slot(self, address: bytes) -> int | None:
        low, high = int.from_bytes(address[:4], "little"), int.from_bytes(address[4:], "little")
        for slot in range(ADDRESSES):
            there = self._registers.get(r.RAH0 + 8 * slot)
            if there & r.RAH_AV and there & 0xFFFF == high and self._registers.get(r.RAL0 + 8 * slot) == low:
                return slot
        return None

    def _hashed(self, frame: bytes, kind: int, ip: int) -> int:
        """Receive side scaling over the addresses of IPv4, and the ports of TCP; queue 0 for all others."""
        if kind != 0x0800 or not self._registers.get(r.MRQC) & 7 or len(frame) < ip + 20:
            return 0
        flow = frame[ip + 12 : ip + 20]
        fragment = int.from_bytes(frame[ip + 6 : ip + 8], "big") & 0x3FFF
        if frame[ip + 9] == 6 and not fragment:
            l4 = ip + 4 * (frame[ip] & 15)
            flow += frame[l4 : l4 + 4]
        value = self._hashes.get(flow)
        if value is None:
            value = self._hashes[flow] = toeplitz(flow)
        entry = value & 0x7F
        return self._registers.get(r.RETA + (entry & ~3)) >> 8 * (entry & 3) & 3


def tag_of(frame: bytes) -> int | None:
    """The 802.1Q tag of a frame; None if it has none."""
    return int.from_bytes(frame[14:16], "big") if frame[12:14] == b"\x81\x00" and len(frame) >= 18 else None


def toeplitz(data: bytes) -> int:
    """The hash of a flow (data sheet, 7.1.2.10.1; the key's and the hash's bits are those of Microsoft's RSS)."""
    window, value = int.from_bytes(KEY, "big"), 0
    width = 8 * len(KEY)
    for index in range(8 * len(data)):
        if data[index >> 3] >> (7 - (index & 7)) & 1:
            value ^= window >> (width - 32 - index) & 0xFFFFFFFF
    return value

"""Qdiscs as netlink messages: what is sent for a schedule, and what the kernel's answer says.

The messages are made by pyroute2 with the plugins of :mod:`tsnlab.qdisc.tcmsg` and are, byte for byte, those that
``tc`` sends for the same arguments; they also say what older versions of ``tc`` cannot (max-sdu, frame preemption,
hold and release, lists of more than about 30 entries).

Source: rtnetlink(7), iproute2's tc/tc_qdisc.c.
"""

from __future__ import annotations

import struct
from typing import Any

from tsnlab.qdisc import tcmsg
from tsnlab.schedule import FULL_OFFLOAD, SIZE_TABLE_OVERHEAD, Cbs, Etf, Mqprio, Taprio
from tsnlab.schedule.queues import queue_range

ROOT = 0xFFFFFFFF
CLOCKS = {0: "REALTIME", 1: "MONOTONIC", 7: "BOOTTIME", 11: "TAI"}
# TCA_STAB with TCA_STAB_BASE (struct tc_sizespec): pyroute2 knows the first as opaque data only
_STAB = struct.pack("=HHHHBBhiIIII", 32, 8, 28, 1, 0, 0, 0, SIZE_TABLE_OVERHEAD, 0, 0, 0, 0)


def taprio(value: Taprio, base_time_ns: int, handle: str) -> bytes:
    """The request body that replaces an interface's root qdisc by taprio."""
    clocks = {name: number for number, name in CLOCKS.items()}
    arguments = {
        **_queues(value),
        "clockid": None if value.flags == FULL_OFFLOAD else clocks[value.clock],
        "flags": value.flags or None,
        "txtime_delay": value.txtime_delay or None,
        "base_time": base_time_ns,
        "cycle_time": value.cycle,
        "cycle_time_extension": value.cycle_extension or None,
        "entries": [(entry.command, entry.mask, entry.interval) for entry in value.schedule],
        "max_sdu": value.max_sdu,
        "fp": value.fp,
    }
    return _body("taprio", _number(f"{handle}:0"), ROOT, arguments, stab=True)


def etf(value: Etf, parent: str, offload: bool) -> bytes:
    """The request body that puts etf on a queue (``100:2`` is queue 1 of the qdisc 100)."""
    arguments = {"delta": value.delta_ns(offload), "flags": value.flags(offload)}
    return _body("etf", 0, _number(parent), arguments)


def mqprio(value: Mqprio, handle: str) -> bytes:
    """The request body that replaces an interface's root qdisc by mqprio."""
    from tsnlab.qdisc.tcmsg.sched_mqprio import MODES, SHAPERS

    arguments = {
        **_queues(value),
        "hw": int(value.hardware),
        "mode": MODES[value.mode] or None,
        "shaper": SHAPERS[value.shaper] or None,
        "min_rate": [rate // 8 for rate in value.min_rate],
        "max_rate": [rate // 8 for rate in value.max_rate],
    }
    return _body("mqprio", _number(f"{handle}:0"), ROOT, arguments)


def cbs(value: Cbs, parent: str) -> bytes:
    """The request body that puts cbs on a queue."""
    return _body("cbs", 0, _number(parent), value.model_dump())


def options_of(body: bytes) -> tuple[str, dict[str, Any]]:
    """Kind and options of a qdisc in the kernel's answer, the options as ``tc -j qdisc show`` would give them.

    A schedule that waits for its base time is under ``admin``.
    """
    message = _message()
    message.data = bytearray(_header(len(body)) + body)
    message.length = len(message.data)
    message.decode()
    kind = str(message.get_attr("TCA_KIND"))
    options = message.get_attr("TCA_OPTIONS")
    return kind, _READERS[kind](options) if kind in _READERS else {}


def _body(kind: str, handle: int, parent: int, arguments: dict[str, Any], *, stab: bool = False) -> bytes:
    """The message without its netlink header; the interface's index is 0 and filled in where it is sent."""
    message = _message()
    from pyroute2.netlink.rtnl.tcmsg import plugins

    message["handle"], message["parent"] = handle, parent
    message["attrs"] = [["TCA_KIND", kind], ["TCA_OPTIONS", plugins[kind].get_parameters(arguments)]]
    message.encode()
    body = bytes(message.data[16 : message["header"]["length"]])
    return body + _STAB if stab else body


def _message() -> Any:
    from pyroute2.netlink.rtnl.tcmsg import tcmsg as message

    tcmsg.register()
    return message()


def _header(length: int) -> bytes:
    return struct.pack("=IHHII", 16 + length, 36, 0, 0, 0)


def _number(handle: str) -> int:
    major, _, minor = handle.partition(":")
    return int(major, 16) << 16 | int(minor or "0", 16)


def _queues(value: Taprio | Mqprio) -> dict[str, Any]:
    ranges = [queue_range(text) for text in value.queues]
    return {"num_tc": len(ranges), "prio_tc_map": value.map, "queues": ranges}


def _read_queues(qopt: Any) -> dict[str, Any]:
    classes = qopt["num_tc"]
    pairs = zip(qopt["offset"][:classes], qopt["count"][:classes], strict=True)
    return {
        "tc": classes,
        "map": list(qopt["prio_tc_map"]),
        "queues": [{"offset": offset, "count": count} for offset, count in pairs],
    }


def _read_taprio(options: Any) -> dict[str, Any]:
    name = "TCA_TAPRIO_ATTR_"
    found = _read_queues(options.get_attr(f"{name}PRIOMAP"))
    clock = options.get_attr(f"{name}SCHED_CLOCKID")
    found["clockid"] = CLOCKS.get(clock, "invalid")
    if flags := options.get_attr(f"{name}FLAGS"):
        found["flags"] = hex(flags)
    if delay := options.get_attr(f"{name}TXTIME_DELAY"):
        found["txtime_delay"] = delay
    found |= _read_schedule(options)
    if (admin := options.get_attr(f"{name}ADMIN_SCHED")) is not None:
        found["admin"] = _read_schedule(admin)
    classes = options.get_attrs(f"{name}TC_ENTRY")
    kinds = {1: "E", 2: "P"}
    found["max-sdu"] = [entry.get_attr("TCA_TAPRIO_TC_ENTRY_MAX_SDU") or 0 for entry in classes]
    found["fp"] = [kinds[entry.get_attr("TCA_TAPRIO_TC_ENTRY_FP") or 1] for entry in classes]
    return found


def _read_schedule(options: Any) -> dict[str, Any]:
    name, entry_name = "TCA_TAPRIO_ATTR_SCHED_", "TCA_TAPRIO_SCHED_ENTRY_"
    keys = ("base_time", "cycle_time", "cycle_time_extension")
    found: dict[str, Any] = {key: options.get_attr(f"{name}{key.upper()}") or 0 for key in keys}
    entries = options.get_attr(f"{name}ENTRY_LIST")
    listed = entries.get_attrs("TCA_TAPRIO_SCHED_ENTRY") if entries is not None else []
    found["schedule"] = [
        {
            "index": entry.get_attr(f"{entry_name}INDEX"),
            "cmd": "SHR"[entry.get_attr(f"{entry_name}CMD")],
            "gatemask": hex(entry.get_attr(f"{entry_name}GATE_MASK")),
            "interval": entry.get_attr(f"{entry_name}INTERVAL"),
        }
        for entry in listed
    ]
    return found


def _read_etf(options: Any) -> dict[str, Any]:
    parms = options.get_attr("TCA_ETF_PARMS")
    bits = {"deadline_mode": 1, "offload": 2, "skip_sock_check": 4}
    on_off = {key: "on" if parms["flags"] & bit else "off" for key, bit in bits.items()}
    return {"clockid": CLOCKS.get(parms["clockid"], "invalid"), "delta": parms["delta"], **on_off}


def _read_cbs(options: Any) -> dict[str, Any]:
    parms = options.get_attr("TCA_CBS_PARMS")
    return {key: parms[key] for key in ("hicredit", "locredit", "sendslope", "idleslope", "offload")}


_READERS = {"taprio": _read_taprio, "etf": _read_etf, "mqprio": _read_queues, "cbs": _read_cbs}

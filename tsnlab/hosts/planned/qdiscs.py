"""tc on an imagined node: qdiscs and filters are kept as they were set."""

from __future__ import annotations

import json
from typing import Any

from tsnlab.hosts.planned.node import Answer, PlannedNode


def tc(node: PlannedNode, words: list[str]) -> Answer:
    """``tc qdisc|filter show|add|replace|del``."""
    words = [word for word in words if word not in ("-j", "-s", "-d", "-V")]
    interface = words[words.index("dev") + 1] if "dev" in words else ""
    kind, verb = words[0], words[1]
    if interface not in node.links:
        return Answer(status=1, err=f'Cannot find device "{interface}"\n')
    if kind == "filter":
        return _filter(node, interface, verb, words)
    if verb == "show":
        return Answer(json.dumps(node.qdiscs[interface]))
    if verb in ("add", "replace", "change"):
        _attach(node, interface, words)
    elif "root" in words:
        node.qdiscs[interface] = [{"kind": "mq", "handle": "0:", "root": True, "options": {}}]
    return Answer(changes=True)


def _filter(node: PlannedNode, interface: str, verb: str, words: list[str]) -> Answer:
    way = next((word for word in ("ingress", "egress") if word in words), "")
    if verb == "show":
        return Answer(node.filters.get((interface, way), ""))
    node.filters[interface, way] = node.filters.get((interface, way), "") + " ".join(words[4:]) + "\n"
    return Answer(changes=True)


def _attach(node: PlannedNode, interface: str, words: list[str]) -> None:
    if "clsact" in words:
        return
    parent = words[words.index("parent") + 1] if "parent" in words else "root"
    kind = next((word for word in words if word in ("taprio", "etf", "mqprio", "cbs", "tbf", "netem")), "other")
    options = {"taprio": _taprio, "etf": _etf}.get(kind, lambda _: {})(words)
    handle = f"{words[words.index('handle') + 1]}:" if "handle" in words else f"{8001 + len(node.qdiscs[interface])}:"
    found: dict[str, Any] = {"kind": kind, "handle": handle, "options": options}
    if parent == "root" or "root" in words:
        node.qdiscs[interface] = [{**found, "root": True}]
    else:
        node.qdiscs[interface].append({**found, "parent": parent})


def _taprio(words: list[str]) -> dict[str, Any]:
    def value(key: str, default: str = "0") -> str:
        return words[words.index(key) + 1] if key in words else default

    def numbers(key: str) -> list[str]:
        rest = words[words.index(key) + 1 :]
        end = next((i for i, word in enumerate(rest) if not word[0].isdigit()), len(rest))
        return rest[:end]

    entries = [words[i + 1 : i + 4] for i, word in enumerate(words) if word == "sched-entry"]
    ranges = [word.split("@") for word in numbers("queues")]
    total = sum(int(interval) for _, _, interval in entries)
    options: dict[str, Any] = {
        "tc": int(value("num_tc")),
        "map": [int(word) for word in numbers("map")],
        "queues": [{"offset": int(offset), "count": int(count)} for count, offset in ranges],
        "base_time": int(value("base-time")),
        "cycle_time": int(value("cycle-time", str(total))),
        "cycle_time_extension": int(value("cycle-time-extension")),
        "schedule": [
            {"index": i, "cmd": cmd, "gatemask": hex(int(mask, 16)), "interval": int(interval)}
            for i, (cmd, mask, interval) in enumerate(entries)
        ],
    }
    if "clockid" in words:
        options["clockid"] = value("clockid").removeprefix("CLOCK_")
    if "flags" in words:
        options["flags"] = value("flags")
    if "txtime-delay" in words:
        options["txtime_delay"] = int(value("txtime-delay"))
    return options


def _etf(words: list[str]) -> dict[str, Any]:
    on_off = {key: "on" if key in words else "off" for key in ("offload", "deadline_mode", "skip_sock_check")}
    return {"clockid": "TAI", "delta": int(words[words.index("delta") + 1]), **on_off}

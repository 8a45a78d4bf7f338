"""What nl-calc does, in its own way: one line after the other, json and numpy.datetime64.

Written from nl-calc's formulas, to have something of its speed to measure beside; like nl-calc it takes each
time from its text wherever it needs it, 14 times in a line. Prints its histograms.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np


def main(path: str) -> None:
    """Prints the three histograms of the file."""
    bins = {"program": 50, "scheduled": 1000, "jitter": 2000}
    found: dict[str, dict[str, Any]] = {name: _empty(count) for name, count in bins.items()}
    mean, packets = 0.0, 0
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        for line in file:
            record = json.loads(line.strip())
            if record["type"] != "rx-packet":
                continue
            content = record["object"]
            stamps = dict(zip(content["timestamps"]["names"], content["timestamps"]["values"], strict=True))
            start = np.datetime64(stamps["interval-start"])
            sent, late = np.datetime64(stamps["tx-program"]) - start, np.datetime64(stamps["rx-hardware"]) - start
            # the jitter is a function of its own there, and takes the times anew
            late = np.datetime64(stamps["rx-hardware"]) - np.datetime64(stamps["interval-start"])
            wrapped = int(late) % (content["interval-usec"] * 1000)
            mean = (packets * mean + wrapped) / (packets + 1)
            packets += 1
            program = int(int(sent) / 1000 % content["interval-usec"])
            _count(found["program"], program, program, stamps["tx-program"])
            _count(found["scheduled"], int(int(late) / 1000), int(int(late) / 1000) % 1000, stamps["tx-program"])
            _count(found["jitter"], int(mean - wrapped), int(mean - wrapped) + 1000, stamps["tx-program"])
            sys.stdout.flush()
    for one in found.values():
        print(json.dumps(one))  # noqa: T201


def _empty(bins: int) -> dict[str, Any]:
    return {"count": 0, "min": 0, "max": 0, "outliers": 0, "histogram": [0] * bins, "start": None, "end": None}


def _count(one: dict[str, Any], value: int, place: int, stamp: str) -> None:
    one["count"] += 1
    one["max"] = value if value > one["max"] or one["max"] == 0 else one["max"]
    one["min"] = value if value < one["min"] or one["min"] == 0 else one["min"]
    if 0 <= place < len(one["histogram"]):
        one["histogram"][place] += 1
    else:
        one["outliers"] += 1
    moment = np.datetime64(stamp)
    one["start"] = one["start"] or stamp
    one["end"] = one["end"] or (stamp if moment else None)
    if np.datetime64(stamp) > np.datetime64(one["end"]):
        one["end"] = stamp


if __name__ == "__main__":
    main(sys.argv[1])

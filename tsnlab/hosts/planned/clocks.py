"""The clocks of imagined nodes: all are at the same time, and all follow one source."""

from __future__ import annotations

import json
from pathlib import PurePath

from tsnlab.hosts.planned.node import Answer, PlannedNode

_SECOND = 1_000_000_000

_PMC = """\
sending: GET {dataset}
	0050c2.fffe.000001-{port} seq 0 RESPONSE MANAGEMENT {dataset}
{fields}"""

_DATASETS = {
    "TIME_STATUS_NP": {
        "master_offset": "3",
        "ingress_time": "0",
        "gmPresent": "true",
        "gmIdentity": "0050c2.fffe.000001",
    },
    "PORT_DATA_SET": {"portIdentity": "0050c2.fffe.000001-1", "portState": "SLAVE", "peerMeanPathDelay": "500"},
    "PORT_DATA_SET_NP": {"neighborPropDelayThresh": "800", "asCapable": "1"},
    "CURRENT_DATA_SET": {"stepsRemoved": "1", "offsetFromMaster": "3.0", "meanPathDelay": "0.0"},
}


def date(node: PlannedNode, words: list[str]) -> Answer:
    """``date``: the time of the plan."""
    seconds, rest = divmod(node.now_ns, _SECOND)
    form = words[-1] if words else "+%s"
    return Answer(form.lstrip("+").replace("%s", str(seconds)).replace("%N", f"{rest:09}") + "\n")


def phc_ctl(node: PlannedNode, words: list[str]) -> Answer:
    """``phc_ctl DEVICE cmp``."""
    if "cmp" not in words:
        return Answer(changes=True)
    count = words.count("cmp")
    return Answer("phc_ctl[1.000]: offset from CLOCK_REALTIME is 12ns\n" * count)


def pmc(node: PlannedNode, words: list[str]) -> Answer:
    """``pmc 'GET DATASET'``."""
    verb, _, dataset = words[-1].partition(" ")
    if verb != "GET":
        return Answer(changes=True)
    fields = "".join(f"\t\t{name:26} {value}\n" for name, value in _DATASETS.get(dataset, {}).items())
    return Answer(_PMC.format(dataset=dataset, port=int("PORT" in dataset), fields=fields))


def ptp4l(node: PlannedNode, words: list[str]) -> Answer:
    """``ptp4l -v``; it would be started otherwise."""
    return Answer("3.1.1\n") if words == ["-v"] else Answer(changes=True)


def program(node: PlannedNode, words: list[str]) -> Answer:
    """The project's own programs for nodes, as far as they only look."""
    names = [PurePath(word).name for word in words]
    if "clock.py" in names and words[-1] == "read":
        return Answer(json.dumps({"realtime": node.now_ns, "monotonic": node.now_ns, "tai_offset": 0}))
    if "stamping.py" in names:
        now = words[-2:] if words[-4:-3] == ["set"] else ["0", "0"]
        return Answer(json.dumps({"tx": int(now[0]), "rx": int(now[1])}), changes=words[-4:-3] == ["set"])
    if "poke" in names:
        return Answer('{"queued": 0}', changes=True)
    return Answer(changes=True)


def chronyc(node: PlannedNode, words: list[str]) -> Answer:
    """``chronyc -n -c sources``: every server of the file answers."""
    rows = [line.split() for line in node.files.get("/etc/chrony.conf", "").splitlines()]
    names = [row[1] for row in rows if len(row) > 1 and row[0] in ("server", "pool")]
    return Answer("".join(f"^,*,{name},3,6,377,1,0.0,0.0,0.0\n" for name in names))

"""Schedules as values: what taprio, etf, mqprio, cbs and a VLAN are asked for, and what the kernel says it has.

Nothing here touches a machine. Each value is checked when it is made, tells ``tc`` its exact arguments, reads
itself from the kernel's answer, and can be compared with another.

Sources: tc-taprio(8), tc-etf(8), tc-mqprio(8), tc-cbs(8), net/sched/sch_{taprio,etf,mqprio,cbs}.c of Linux 6.12;
IEEE 802.1Q clauses 8.6.8.2 and 8.6.8.4.
"""

from tsnlab.schedule.etf import Etf
from tsnlab.schedule.gates import Entry, GateEntry, Span, spans_of
from tsnlab.schedule.margin import Fit, fit
from tsnlab.schedule.mqprio import Cbs, Mqprio
from tsnlab.schedule.nic import NICS, Nic, nic
from tsnlab.schedule.queues import PRIORITIES
from tsnlab.schedule.taprio import FULL_OFFLOAD, SIZE_TABLE_OVERHEAD, TXTIME_ASSIST, Taprio, base_time
from tsnlab.schedule.vlan import Vlan

__all__ = [
    "FULL_OFFLOAD",
    "NICS",
    "PRIORITIES",
    "SIZE_TABLE_OVERHEAD",
    "TXTIME_ASSIST",
    "Cbs",
    "Entry",
    "Etf",
    "Fit",
    "GateEntry",
    "Mqprio",
    "Nic",
    "Span",
    "Taprio",
    "Vlan",
    "base_time",
    "fit",
    "nic",
    "spans_of",
]

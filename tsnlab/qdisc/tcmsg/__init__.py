"""taprio, etf, mqprio and cbs for pyroute2, in the form of its own tcmsg plugins.

Each module has what ``pyroute2.netlink.rtnl.tcmsg`` expects of one: ``parent``, ``get_parameters`` and ``options``.
"""

from __future__ import annotations


def register() -> None:
    """Adds the plugins to pyroute2's; twice is no error."""
    from pyroute2.netlink.rtnl import tcmsg

    from tsnlab.qdisc.tcmsg import sched_cbs, sched_etf, sched_mqprio, sched_taprio

    tcmsg.plugins |= {"taprio": sched_taprio, "etf": sched_etf, "mqprio": sched_mqprio, "cbs": sched_cbs}

"""Kernel modules of a prebuilt kernel that the lab needs, in the order in which they can be loaded."""

from __future__ import annotations

from pathlib import Path

from tsnlab.errors import MachineError

NEEDED = (
    *("af_packet", "veth", "bridge", "8021q"),
    *("sch_taprio", "sch_etf", "sch_mqprio", "sch_cbs", "sch_netem", "sch_tbf", "sch_ingress"),
    *("cls_flower", "cls_matchall", "act_skbedit", "act_mirred", "act_gact"),
)
"""What the guide's steps and the cables ask for; a name that is not a module is built in."""


def load_order(folder: Path, names: tuple[str, ...] = NEEDED) -> list[Path]:
    """Module files in an order in which each comes after those it depends on.

    Args:
        folder: the kernel's module folder, with depmod's ``modules.dep`` (modules.dep(5)).

    Raises:
        MachineError: the folder has no ``modules.dep``.
    """
    try:
        lines = (folder / "modules.dep").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MachineError(f"{folder}/modules.dep: {error.strerror}; reinstall the kernel's package") from error
    depends = {Path(file).stem: [file, *needs.split()] for file, _, needs in (line.partition(":") for line in lines)}
    order: dict[Path, None] = {}
    for name in names:
        # each line names what a module needs, the most basic last
        for file in reversed(depends.get(name, [])):
            order.setdefault(folder / file)
    return list(order)

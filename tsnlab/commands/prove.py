"""`tsnlab prove LAB`: whether the gates of the talker's interface do what a schedule says."""

from __future__ import annotations

import argparse

from tsnlab.commands import Commands
from tsnlab.commands.status import OK, VERDICT_FAILED


def add(commands: Commands) -> None:
    """Adds the command."""
    words = "Sends frames through known schedules and compares their arrival with what follows from them."
    prove = commands.add_parser("prove", help="prove the gates of a lab's talker", description=words)
    prove.add_argument("lab", nargs="?", default="virtual", help="lab file, or name of one that comes with tsnlab")
    prove.add_argument("--delta", action="store_true", help="also recommend etf's delta, from measured wake-ups")
    prove.set_defaults(action=_prove)


def _prove(arguments: argparse.Namespace) -> int:
    from tsnlab import links, ptp, qdisc
    from tsnlab.session import open_lab

    with open_lab(arguments.lab) as lab:
        links.up(lab)
        sync = ptp.launch(lab)
        proof = qdisc.prove(lab, sync.wait_locked())
        print(proof)
        if arguments.delta:
            print(qdisc.recommend_delta(lab))
        sync.stop()
    return OK if proof.holds else VERDICT_FAILED

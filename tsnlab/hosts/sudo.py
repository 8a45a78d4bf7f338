"""sudo on a node, with and without a password; the password goes into sudo's standard input and nowhere else."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections.abc import Callable, Sequence

from tsnlab.errors import HostError

Password = Callable[[], str]
"""Gives the password when sudo asks for it for the first time."""


class Sudo:
    """Runs commands as root.

    Args:
        node: whose name stands in messages.
        password: asked for the password once sudo wants one; None takes it from the environment, or a terminal.
    """

    def __init__(self, node: str, password: Password | None = None) -> None:
        self._node = node
        self._ask = password or (lambda: _password(node))
        self._password: str | None = None
        # sudo prints it where it wants the password; nothing else on stderr can be mistaken for it
        self.prompt = f"[tsnlab {secrets.token_hex(8)}]"

    def over(self, argv: Sequence[str]) -> list[str]:
        """A command with sudo over it."""
        return ["sudo", "-S", "-p", self.prompt, "--", *argv]

    def answer(self) -> bytes:
        """What sudo is told at its prompt."""
        if self._password is None:
            self._password = self._ask()
        return self._password.encode() + b"\n"

    def refused(self) -> HostError:
        """The error for a password that sudo asks for again; the password is forgotten."""
        self._password = None
        return HostError(
            f"{self._node}: sudo does not accept the password; put the right one into {variable(self._node)}"
        )


def variable(node: str) -> str:
    """The environment variable a node's sudo password is taken from: ``TSNLAB_SUDO_NODE1``."""
    return "TSNLAB_SUDO_" + re.sub(r"\W", "_", node).upper()


def _password(node: str) -> str:
    """Raises HostError where there is neither the variable nor somebody to ask."""
    if (given := os.environ.get(variable(node))) is not None:
        return given
    try:
        return getpass.getpass(f"sudo password on {node}: ")
    except (EOFError, OSError):
        raise HostError(
            f"{node}: sudo asks for a password; set {variable(node)}, or allow sudo without one on the node"
        ) from None

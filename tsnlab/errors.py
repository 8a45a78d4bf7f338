"""What can go wrong, as one small family of exceptions.

Every message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence


class TsnlabError(Exception):
    """The root of every error that tsnlab raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback."""
        from tsnlab.show import trouble

        return trouble.lines(self)


class ConfigError(TsnlabError):
    """A lab file, case file or parameter that is not valid; names the file, the key and what was expected."""


class CommandError(TsnlabError):
    """A command on a node that failed; carries the host, the command, its exit status and the end of stderr."""

    def __init__(
        self,
        host: str,
        argv: Sequence[str],
        returncode: int | None,
        stderr: str = "",
        remedy: str = "",
    ) -> None:
        self.host = host
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr
        self.remedy = remedy
        how = "was stopped" if returncode is None else f"failed with status {returncode}"
        lines = [f"{host}: `{' '.join(argv)}` {how}"]
        tail = stderr.strip().splitlines()[-12:]
        lines += [f"  {line}" for line in tail]
        if remedy:
            lines.append(f"what to do: {remedy}")
        super().__init__("\n".join(lines))


class HostError(TsnlabError):
    """A node that cannot be reached, or whose connection was lost; says how, and what to do about it."""


class DeadlineError(TsnlabError):
    """Something did not happen in time; says what was waited for and what was seen instead."""


class MachineError(TsnlabError):
    """The virtual lab's kernel panicked, hung or was killed; shows the end of its console."""


class DeviceError(MachineError):
    """A virtual device and the kernel of the virtual lab do not understand each other; names the device."""


class KernelBuildError(TsnlabError):
    """The kernel could not be built, or a symbol that was asked for did not survive; names it."""


class StepError(TsnlabError):
    """A step could not bring a node into the wanted state; says what was wanted and what was read back."""


class SyncError(TsnlabError):
    """The clocks are not, or no longer, synchronised, so that no number may be reported."""


class MeasurementError(TsnlabError):
    """A measurement was cut short; says what had been received and where it is kept."""


class VerdictError(TsnlabError):
    """A limit of the case file does not hold; the message is the table of verdicts."""

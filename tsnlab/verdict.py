"""Verdicts: whether a capture keeps the limits of its case, and whether its numbers may be believed at all.

Three rows guard the numbers whatever the case asks for: the capture is complete, the clocks were
synchronised throughout, and every packet that was sent is accounted for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, model_validator

from tsnlab.errors import SyncError, VerdictError
from tsnlab.show.names import own

# case files are read by `tsnlab --help` as well, so numpy and pandas are only imported to judge
if TYPE_CHECKING:
    import pandas as pd

    from tsnlab.analysis.table import Table

Number = float | int


class Limits(BaseModel):
    """The limits of a case; what is not given is not judged.

    `scheduled_spread_min_us` is for a case that is expected to show no control at all. `inside_window` asks
    that every arrival lies in the transmit window; as an arrival is later than its transmission by the way
    through the network, this is meant for windows that are long against that. `load_min_mbps` holds for the
    best-effort traffic offered and for that counted at its receiver.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost_max: NonNegativeInt | None = None
    received_min_share: Annotated[float, Field(ge=0, le=1)] | None = None
    scheduled_min_us: float | None = None
    scheduled_max_us: float | None = None
    scheduled_spread_min_us: NonNegativeFloat | None = None
    scheduled_spread_max_us: NonNegativeFloat | None = None
    rt_app_latency_min_us: float | None = None
    rt_app_latency_max_us: float | None = None
    jitter_abs_max_ns: NonNegativeFloat | None = None
    inside_window: bool = False
    load_min_mbps: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("scheduled", "scheduled_spread", "rt_app_latency"):
            low, high = getattr(self, f"{name}_min_us"), getattr(self, f"{name}_max_us")
            if low is not None and high is not None and low > high:
                raise ValueError(f"{name}_min_us ({low:g}) is greater than {name}_max_us ({high:g})")
        return self


class HasLimits(Protocol):
    """Anything with limits: a case."""

    @property
    def limits(self) -> Limits:
        """The limits to judge by."""


@dataclass(frozen=True)
class Verdict:
    """One limit, what was measured, and whether it holds; if not, `why` is a sentence about it."""

    name: str
    limit: str
    measured: Number | str | None
    unit: str
    passed: bool
    why: str = ""


@dataclass(frozen=True, repr=False)
class Verdicts:
    """All verdicts on a capture, in order; shows itself as a table."""

    rows: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return all(row.passed for row in self.rows)

    def require(self) -> Verdicts:
        """These verdicts, if all of them hold.

        Raises:
            VerdictError: one does not; the message is the table.
        """
        if not self.passed:
            raise VerdictError(f"{self!r}")
        return self

    def to_json(self) -> list[dict[str, Any]]:
        """What run.json says under `verdicts`: name, limit, measured, unit, passed, why of each."""
        return [asdict(row) for row in self.rows]

    def table(self) -> Table:
        """The verdicts, and below them a sentence for each that does not hold."""
        from tsnlab.analysis.table import Table

        failed = [row for row in self.rows if not row.passed]
        title = (
            f"{len(failed)} of {len(self.rows)} limits do not hold" if failed else f"All {len(self.rows)} limits hold"
        )
        return Table(
            title=title,
            header=("", "what", "limit", "measured", ""),
            rows=tuple(_cells(row) for row in self.rows),
            align="llrrl",
            notes=tuple(f"{row.name}: {row.why}" for row in failed),
            tones=tuple("good" if row.passed else "bad" for row in self.rows),
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def judge(frame: pd.DataFrame, limits: Limits | HasLimits) -> Verdicts:
    """Judges a capture by the limits of its case, without raising when one does not hold.

    Args:
        frame: the `packets` table with its description.
        limits: the limits, or a case that has them.

    Raises:
        ConfigError: the table carries no description.
    """
    from tsnlab.analysis.indicators import indicators
    from tsnlab.analysis.rules import RULES, Evidence

    asked = limits if isinstance(limits, Limits) else limits.limits
    evidence = Evidence(frame, indicators(frame))
    return Verdicts(tuple(row for rule in RULES for row in rule(evidence, asked)))


def check(frame: pd.DataFrame, limits: Limits | HasLimits) -> Verdicts:
    """Judges a capture, and raises unless all limits hold.

    Raises:
        SyncError: the clocks were not synchronised throughout, so that there is nothing to judge.
        VerdictError: a limit does not hold; the message is the table of verdicts.
        ConfigError: the table carries no description.
    """
    from tsnlab import packets
    from tsnlab.analysis.rules import sync_text

    about = packets.info(frame)
    if about.sync.get("ok") is False:
        raise SyncError(f"{about.case} on {about.lab}: {sync_text(about)}; no number of this capture may be reported")
    return judge(frame, limits).require()


def _cells(row: Verdict) -> tuple[str, ...]:
    measured = f"{row.measured:.3f}".rstrip("0").rstrip(".") if isinstance(row.measured, float) else str(row.measured)
    missing = row.measured is None
    return ("holds" if row.passed else "FAILS", row.name, row.limit, "-" if missing else measured, row.unit)


__dir__ = own(__name__)

"""The three indicators beside the guide's, as a table for a notebook and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsnlab.report.glance import Card, card, glance

if TYPE_CHECKING:
    import pandas as pd

    from tsnlab.analysis.table import Table
    from tsnlab.case import Case

_HEADER = ("", "", "measured", "each ±", "spread", "guide", "spread")
_ALIGN = "llrrrrr"


@dataclass(frozen=True, repr=False)
class Beside:
    """The indicators of a capture beside what the guide printed; shows itself as a table."""

    cards: tuple[Card, ...]
    source: str

    def table(self) -> Table:
        """One row for each indicator: extremes and spread, ours and the guide's."""
        from tsnlab.analysis.table import Table

        rows = tuple(map(_row, self.cards))
        return Table("Extremes and spread", _HEADER, rows, _ALIGN, notes=(f"guide: {self.source}",))

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def beside(packets: pd.DataFrame, case: Case) -> Beside:
    """Sets the indicators of a capture beside those that the guide printed for the case.

    Raises:
        ConfigError: the table carries no description.
    """
    from tsnlab.analysis.indicators import indicators
    from tsnlab.analysis.uncertainty import uncertainties

    summaries = indicators(packets).to_json()["indicators"]
    unsure = uncertainties(packets).to_json()
    guide = case.guide.model_dump()
    cards = [card(name, one, guide[name], unsure.get(name.rpartition("_")[0])) for name, one in summaries.items()]
    return Beside(tuple(cards), case.guide.source)


def indicator_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """The indicators of runs, as their run.json give them, beside the guide's and with the verdict."""
    from tsnlab.analysis.table import Table

    glances = [glance(run) for run in runs]
    rows = []
    for run in glances:
        names = [run.case, *[""] * len(run.cards)]
        verdicts = [run.verdict, *[""] * len(run.cards)]
        cells = [_row(one) for one in run.cards] or [("-",) + ("",) * (len(_HEADER) - 1)]
        rows += [(name, *row, verdict) for name, row, verdict in zip(names, cells, verdicts, strict=False)]
    return Table("Indicators beside the guide's", ("", *_HEADER, ""), tuple(rows), f"l{_ALIGN}l").text()


def _row(one: Card) -> tuple[str, ...]:
    ours, guide = (_span(*ends) for ends in ((one.low, one.high), (one.guide_low, one.guide_high)))
    return (one.title, one.unit, ours, one.each or "-", one.spread or "-", guide, one.guide_spread or "-")


def _span(low: str, high: str) -> str:
    return f"{low} to {high}" if low else "-"

"""A run at a glance: what run.json says, in the words and numbers of a page. Computes, reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tsnlab.quantity import show_duration, show_rate

Tone = Literal["good", "bad", "warn", "plain"]
Span = tuple[float, float]

TITLES = {
    "scheduled_times_us": "Scheduled times",
    "rt_app_latency_us": "RT application latency",
    "network_jitter_ns": "TSN network jitter",
}
MEANINGS = {
    "scheduled_times_us": "from the beginning of a cycle to when the listener receives the packet",
    "rt_app_latency_us": "from the beginning of a cycle to when the program calls send",
    "network_jitter_ns": "how far from the mean of the scheduled times; early is positive",
}
_IN_NS = 20_000  # up to this jitter is told in nanoseconds, beyond in microseconds
_BAR_MARGIN = 0.06
_THINNEST = 0.8  # per cent of the width


@dataclass(frozen=True)
class Bar:
    """A span on an axis, in per cent of the axis' length."""

    left: float
    width: float


@dataclass(frozen=True)
class Card:
    """One indicator beside the guide's; every number is a text with the unit's decimals, or "" if unknown."""

    name: str
    title: str
    meaning: str
    unit: str
    low: str
    high: str
    spread: str
    each: str
    """Half-width of a single value's uncertainty, from clocks and resolution; "" if nothing is known of it."""

    facts: tuple[tuple[str, str], ...]
    guide_low: str
    guide_high: str
    guide_spread: str
    bar: Bar | None
    guide_bar: Bar | None


@dataclass(frozen=True)
class Glance:
    """A run for the first screen of a page."""

    run: str
    case: str
    title: str
    status: str
    tone: Tone
    verdict: str
    error: str
    badges: tuple[str, ...]
    cards: tuple[Card, ...]
    facts: tuple[tuple[str, str], ...]
    verdicts: tuple[Mapping[str, Any], ...]
    started: str
    parameters: Mapping[str, Any]
    guide_source: str


def glance(run: Mapping[str, Any]) -> Glance:
    """What a page says first about the run that a run.json describes, however far the run has come."""
    tone, verdict = judgement(run)
    indicators, guide, unsure = run.get("indicators", {}), run.get("guide", {}), run.get("uncertainty", {})
    badges = list(run.get("badges", ()))
    return Glance(
        run=run["run"],
        case=run["case"],
        title=run.get("title", run["case"]),
        status=run["status"],
        tone=tone,
        verdict=verdict,
        error="" if run["status"] in ("done", "failed") else str(run.get("error", "")),
        badges=tuple(badges if run.get("complete", True) else ["incomplete", *badges]),
        cards=tuple(
            card(name, indicators[name], guide.get(name), unsure.get(name.rpartition("_")[0]))
            for name in TITLES
            if name in indicators
        ),
        facts=tuple(_facts(run)),
        verdicts=tuple(run.get("verdicts", ())),
        started=str(run["started"]).replace("T", " ").replace("+00:00", " UTC"),
        parameters=run.get("parameters", {}),
        guide_source=guide.get("source", ""),
    )


def judgement(run: Mapping[str, Any]) -> tuple[Tone, str]:
    """How a run ended, in a few words."""
    rows, status = run.get("verdicts", ()), run["status"]
    failed = sum(not row["passed"] for row in rows)
    received = run.get("packets", {}).get("received", 0)
    if status == "interrupted":
        return "warn", f"Interrupted after {received:,} packets"
    if status in ("done", "failed") and failed:
        return "bad", f"{failed} of {len(rows)} limits do not hold"
    endings: dict[str, tuple[Tone, str]] = {
        "done": ("good", f"All {len(rows)} limits hold" if rows else "Done, nothing judged"),
        "failed": ("bad", "Failed"),
        "error": ("bad", "Ended with an error"),
        "abandoned": ("warn", "Killed before its end"),
    }
    return endings.get(status, ("plain", "Not finished"))


def card(
    name: str, summary: Mapping[str, Any], guide: Span | None, uncertainty: Mapping[str, Any] | None = None
) -> Card:
    """One indicator of a run beside the guide's extremes.

    Args:
        uncertainty: its part of run.json's `uncertainty`, in nanoseconds.
    """
    own = None if summary["min"] is None else (summary["min"], summary["max"])
    unit, factor, digits = _scale(summary["unit"], [*(own or ()), *(guide or ())])

    def text(value: float | None) -> str:
        return "" if value is None else f"{value * factor:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    def from_ns(key: str) -> str:
        value = (uncertainty or {}).get(key)
        shown = text(value if value is None or summary["unit"] == "ns" else value / 1000)
        return f"below {10**-digits:.{digits}f}" if value and not float(shown) else shown

    facts = {"mean": "mean", "std": "std. deviation", "p50": "median", "p99": "p99", "p99_9": "p99.9"}
    halves = {"single_ns": "each value ±", "mean_ns": "mean ± (95 %)"}
    axis = [*(own or ()), *(guide or ())]
    return Card(
        name=name,
        title=TITLES[name],
        meaning=MEANINGS[name],
        unit=unit,
        low=text(own[0]) if own else "",
        high=text(own[1]) if own else "",
        spread=text(summary["spread"]),
        each=from_ns("single_ns"),
        facts=(
            *((facts[key], text(summary[key])) for key in facts if summary.get(key) is not None),
            *((halves[key], from_ns(key)) for key in halves if from_ns(key)),
        ),
        guide_low=text(guide[0]) if guide else "",
        guide_high=text(guide[1]) if guide else "",
        guide_spread=text(guide[1] - guide[0]) if guide else "",
        bar=_bar(own, axis),
        guide_bar=_bar(guide, axis),
    )


def _scale(unit: str, values: list[float]) -> tuple[str, float, int]:
    """The unit to tell, the factor from the summary's, and the decimals."""
    if unit == "us":
        return "µs", 1.0, 3
    return ("µs", 1e-3, 3) if max(map(abs, values), default=0) > _IN_NS else ("ns", 1.0, 1)


def _bar(span: Span | None, axis: list[float]) -> Bar | None:
    if span is None:
        return None
    length = (max(axis) - min(axis)) or 1.0
    low, high = min(axis) - _BAR_MARGIN * length, max(axis) + _BAR_MARGIN * length
    left, width = ((end * 100) / (high - low) for end in (span[0] - low, span[1] - span[0]))
    # a span that is thinner than a line is still there
    thicker = max(0.0, _THINNEST - width)
    return Bar(round(left - thicker / 2, 3), round(width + thicker, 3))


def _facts(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was measured, on what, with what clock."""
    stream = run.get("case_file", {}).get("stream")
    if stream:
        way = f"{stream['packets']:,} packets, one every {show_duration(stream['cycle'])}"
        yield "Stream", f"{way}, VLAN {stream['vlan']}, PCP {stream['pcp']}{_way(run)}"
    if counts := run.get("packets"):
        yield "Packets", _counts(counts)
    if load := _load(run.get("load", {})):
        yield "Best effort", load
    kernel = run.get("versions", {}).get("lab", {}).get("kernel")
    if lab := run.get("lab"):
        yield "Lab", lab + (f", Linux {kernel}" if kernel else "")
    if clock := run.get("clock"):
        yield "Clock", f"{clock}; arrivals are {run.get('arrival', 'not named')}"
    if "sync" in run:
        yield "Clocks in sync", _sync(run["sync"])
    yield "Code", _code(run.get("code", {}))
    yield "Started", str(run["started"]).replace("T", " ").replace("+00:00", " UTC") + _took(run)


def _way(run: Mapping[str, Any]) -> str:
    roles = run.get("lab_file", {}).get("roles")
    if not roles:
        return ""
    ends = ["{node}:{interface}".format(**roles[role]) for role in ("talker", "listener")]
    return f", from {ends[0]} to {ends[1]} through {roles['switch']}"


def _counts(counts: Mapping[str, Any]) -> str:
    names = ("sent", "received", "lost", "late", "duplicated", "reordered", "not_stamped", "warm_up")
    text = " · ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names if name in counts)
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts.get("late_reasons", {}).items())
    return text + (f" ({reasons})" if reasons else "")


def _load(load: Mapping[str, Any]) -> str:
    rates = [(what, load.get(f"{what}_bps")) for what in ("offered", "received")]
    return ", ".join(f"{show_rate(round(rate, -4))} {what}" for what, rate in rates if rate is not None)


def _sync(sync: Mapping[str, Any]) -> str:
    answer = {True: "yes", False: "no"}.get(sync.get("ok"), "not known")  # type: ignore[arg-type]
    worst = sync.get("worst_offset_ns")
    return answer if worst is None else f"{answer}, worst offset {worst:g} ns"


def _code(code: Mapping[str, Any]) -> str:
    revision = code.get("revision")
    modified = ", modified" if code.get("modified") else ""
    return f"tsnlab {code.get('version', '')}" + (f" at {revision}{modified}" if revision else "")


def _took(run: Mapping[str, Any]) -> str:
    return f", took {run['seconds']:.0f} s" if "seconds" in run else ""

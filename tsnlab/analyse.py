"""The command `tsnlab analyse`: captures of any format, length and origin, and the numbers in them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    from tsnlab.analysis.statistics import Statistics
    from tsnlab.formats.chunk import Chunk, Damage, Source
    from tsnlab.formats.recognise import Options

OK, ERROR = 0, 2
_HELP = """\
Recognises the format of each file by its content: tsnlab's Parquet, netlatency JSON, pcap and pcapng, isochron's
report; and, without packets, logs of sample-app-taprio, ptp4l, phc2sys and iperf3. Prints the indicators, what
became of the packets, and what is noteworthy. Two or more captures are compared with the first."""
_ARRIVALS = ("rx_hardware", "rx_kernel", "rx_program")
_MODES = ("stock", "guide")
_MOST_SHOWN = 5


def add_parser(commands: Any) -> None:
    """Adds the subcommand to those of `tsnlab`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "analyse", help="the numbers of captures, of any format and length", description=_HELP
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="captures or logs")
    parser.add_argument("--json", action="store_true", help="print JSON; indicators and packets are as in run.json")
    parser.add_argument("--strict", action="store_true", help="exit status 2 if anything of a file was dropped")
    parser.add_argument("--figures", metavar="DIR", type=Path, help="draw the figures into this folder, SVG and PNG")
    parser.add_argument(
        "--write", metavar="FILE", type=Path, help="write the packets as well: .parquet, .json (netlatency) or .pcap"
    )
    parser.add_argument("--nl-calc", choices=_MODES, help="print what netlatency's nl-calc prints, and no more")
    parser.add_argument("--stream", metavar="N", type=int, help="only this stream")
    parser.add_argument(
        "--window", metavar=("START", "END"), nargs=2, type=int, help="transmit window, ns in the cycle"
    )
    parser.add_argument(
        "--payload", metavar="NAME", default="netlatency", help="netlatency, sample-app-taprio or a file"
    )
    parser.add_argument(
        "--arrival", choices=_ARRIVALS, default="rx_kernel", help="what took a pcap's times (rx_kernel)"
    )
    parser.add_argument("--cycle", metavar="NS", type=int, default=0, help="the cycle, if the file does not say it")
    parser.add_argument("--base", metavar="NS", type=int, default=0, help="a time at which a cycle begins")
    parser.add_argument("--variables", metavar="LETTERS", default="", help="isochron's --printf-args (qSHwstTRr)")
    parser.set_defaults(action=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyses the files; gives the exit status.

    Raises:
        ConfigError: a file cannot be opened or is not recognised, or the options do not fit.
    """
    # nothing here is linear algebra, for which OpenBLAS would start threads that wait in a loop
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = _options(arguments)
    if arguments.nl_calc:
        return _nl_calc(arguments, options)
    results = [_analysed(path, arguments, options) for path in arguments.files]
    comparisons = list(_comparisons(results))
    if arguments.figures:
        _draw_together(results, arguments.figures)
    if arguments.json:
        contents = [one.content for one in results]
        whole = contents[0] if len(contents) == 1 else {"files": contents, "comparisons": comparisons}
        _say(json.dumps(whole, indent=1))
    else:
        for one in results:
            _say("\n".join(_texts(one)))
        for comparison in comparisons:
            _say(f"{comparison['second']} beside {comparison['first']}: {comparison['statement']}")
    damaged = any(one.damage for one in results)
    return ERROR if damaged and arguments.strict else OK


@dataclass(frozen=True)
class Result:
    """What was found in one file; `statistics` only if it holds packets."""

    path: Path
    content: dict[str, Any]
    damage: Damage
    statistics: Statistics | None = None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _options(arguments: argparse.Namespace) -> Options:
    from tsnlab.formats.recognise import Options

    if arguments.cycle < 0:
        raise ConfigError(f"--cycle {arguments.cycle}: a cycle is a positive number of nanoseconds")
    if len(arguments.files) > 1 and (arguments.write or arguments.nl_calc):
        raise ConfigError("--write and --nl-calc take one file at a time")
    return Options(arguments.payload, arguments.arrival, arguments.cycle, arguments.base, arguments.variables)


def _analysed(path: Path, arguments: argparse.Namespace, options: Options) -> Result:
    from tsnlab.formats.recognise import LOGS, open_capture, recognise

    kind = recognise(path)
    if kind in LOGS:
        return _analysed_log(path)
    from tsnlab.analysis.statistics import gather

    source = _Narrowed(open_capture(path, options), arguments)
    statistics = gather(source)
    if arguments.write:
        from tsnlab.formats import export
        from tsnlab.packets import COLUMNS

        whole = _Narrowed(open_capture(path, options, COLUMNS), arguments)
        export.write(whole.chunks(), statistics.info(), arguments.write)
    if arguments.figures:
        from tsnlab.plot import streamed

        streamed.save_all(statistics, arguments.figures, path.stem)
    return Result(path, _content(path, kind, statistics, source.damage), source.damage, statistics)


class _Narrowed:
    """A capture with what the command line says about it."""

    def __init__(self, source: Source, arguments: argparse.Namespace) -> None:
        self._source = source
        self._stream: int | None = arguments.stream
        self._window: Sequence[int] | None = arguments.window
        self._cycle_ns: int = arguments.cycle
        # the counts of a file are those of all its streams
        self.counted = source.counted and self._stream is None

    @property
    def about(self) -> Any:
        """The capture's description, with the window and the cycle of the command line."""
        about = self._source.about
        fields: dict[str, Any] = {"window": tuple(self._window)} if self._window else {}
        if self._cycle_ns and not about.cycle_ns:
            fields["cycle_ns"] = self._cycle_ns
        return about.model_copy(update=fields)

    @property
    def damage(self) -> Damage:
        """What could not be read."""
        return self._source.damage

    def chunks(self) -> Iterator[Chunk]:
        """The packets of the chosen stream, or all."""
        for chunk in self._source.chunks():
            yield chunk if self._stream is None else self._of_stream(chunk)

    def _of_stream(self, chunk: Chunk) -> Chunk:
        """The stream's packets; only those that arrived, as what was lost is told from their numbers."""
        chosen = chunk.columns["stream"] == self._stream
        if self._source.counted:
            chosen &= sum(chunk.columns[name] != 0 for name in _ARRIVALS if name in chunk.columns) > 0
        return chunk.where(chosen)


def _content(path: Path, kind: str, statistics: Statistics, damage: Damage) -> dict[str, Any]:
    from tsnlab.analysis.findings import findings

    about = statistics.info()
    content: dict[str, Any] = {"file": str(path), "format": kind, "lab": about.lab, "case": about.case}
    content |= {"complete": about.complete, **statistics.indicators().to_json()}
    streams = {}
    for number, one in sorted(statistics.streams.items()):
        own = statistics.indicators(number).to_json()["indicators"]
        streams[str(number)] = {"indicators": own, **findings(one, about)}
    content["streams"] = streams
    if statistics.ignored:
        damage.note(str(path), f"packets of more than {len(streams)} streams", statistics.ignored)
    content["damage"] = {"dropped": damage.dropped, "flaws": damage.flaws}
    return content


def _analysed_log(path: Path) -> Result:
    from tsnlab.analysis.summary import summarise
    from tsnlab.formats.recognise import open_log

    log = open_log(path)
    series = {}
    for name, one in log.series.items():
        series[name] = {"key": one.key, **summarise(one.values, seq=one.keys, unit=one.unit).to_json()}
        series[name] |= _stability(name, one.values, one.keys)
    content = {"file": str(path), "format": log.kind, "series": series, "facts": log.facts}
    content["damage"] = {"dropped": log.damage.dropped, "flaws": log.damage.flaws}
    return Result(path, content, log.damage)


def _stability(name: str, values: Any, keys: Any) -> dict[str, Any]:
    """The Allan deviation of offsets from the source of time, which are time errors; of others, nothing."""
    import numpy as np

    from tsnlab.analysis.stability import allan_deviation

    if not name.endswith(" offset") or len(values) < 4:
        return {}
    interval_s = float(np.median(np.diff(keys))) / 1000
    if interval_s <= 0:
        return {}
    times, deviations = allan_deviation(values, interval_s)
    return {"allan_deviation": [times.tolist(), deviations.tolist()]}


def _comparisons(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Scheduled times of the second and later captures beside those of the first."""
    from tsnlab.analysis.comparison import compare

    captures = [(one.path, one.statistics) for one in results if one.statistics is not None]
    for path, statistics in captures[1:]:
        found = compare(captures[0][1].together().tally, statistics.together().tally)
        if found is not None:
            yield {"first": str(captures[0][0]), "second": str(path), **found.to_json()}


def _draw_together(results: Sequence[Result], folder: Path) -> None:
    """The tails of several captures on equal axes."""
    from tsnlab.plot import streamed

    captures = {str(one.path): one.statistics for one in results if one.statistics is not None}
    if len(captures) > 1:
        streamed.save(streamed.tails(captures), folder / "comparison")


def _texts(result: Result) -> Iterator[str]:
    yield f"{result.path}: {result.content['format']}"
    if result.statistics is not None:
        yield from _capture_texts(result.statistics, result.content)
    for name, series in result.content.get("series", {}).items():
        numbers = ", ".join(f"{key} {series[key]}" for key in ("min", "mean", "max", "std") if series[key] is not None)
        yield f"{name}: {series['count']} values, {numbers} {series['unit']}"
    for name, fact in result.content.get("facts", {}).items():
        yield f"{name}: {fact}"
    if result.damage:
        yield f"dropped: {result.damage.dropped}"
        yield from (f"  {flaw}" for flaw in result.damage.flaws[:_MOST_SHOWN])


def _capture_texts(statistics: Statistics, content: dict[str, Any]) -> Iterator[str]:
    from tsnlab.analysis.findings import noteworthy

    streams = sorted(statistics.streams)
    for number in streams:
        if len(streams) > 1:
            yield f"stream {number}"
        yield str(statistics.indicators(number).table().text())
        yield from noteworthy(content["streams"][str(number)])
    if not streams:
        yield str(statistics.indicators().table().text())


def _nl_calc(arguments: argparse.Namespace, options: Options) -> int:
    from tsnlab.analysis.nl_calc import NlCalc
    from tsnlab.formats.recognise import open_capture
    from tsnlab.packets import COLUMNS

    path = arguments.files[0]
    source = _Narrowed(open_capture(path, options, COLUMNS), arguments)
    calculator: NlCalc | None = None
    for chunk in source.chunks():
        if calculator is None:
            if source.about.cycle_ns < 1000:
                raise ConfigError(f"{path}: nl-calc needs the cycle; pass --cycle NS")
            calculator = NlCalc(source.about.cycle_ns // 1000, arguments.nl_calc)
        calculator.add(_with_hardware(chunk, source.about.arrival))
    for one in (calculator or NlCalc(1, arguments.nl_calc)).result():
        _say(json.dumps(one))
    if source.damage:
        sys.stderr.write(f"dropped: {source.damage.dropped}\n")
    return ERROR if source.damage and arguments.strict else OK


def _with_hardware(chunk: Chunk, arrival: str | None) -> Chunk:
    """nl-calc knows one time of arrival, rx-hardware: where there is none, the capture's own stands for it."""
    from tsnlab.formats.chunk import Chunk

    if arrival is None or arrival not in chunk.columns or "rx_hardware" in chunk.columns:
        return chunk
    return Chunk({**chunk.columns, "rx_hardware": chunk.columns[arrival]})

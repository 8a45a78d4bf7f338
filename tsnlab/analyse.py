"""The command `tsnlab analyse`: captures of any format, length and origin, and the numbers in them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    from tsnlab.case import Case
    from tsnlab.examined import Result, Wishes
    from tsnlab.plot.gate_chart import GateSchedule

OK, ERROR = 0, 2
_HELP = """\
Recognises the format of each file by its content: tsnlab's Parquet, netlatency JSON, pcap and pcapng, isochron's
report; and, without packets, logs of sample-app-taprio, ptp4l, phc2sys and iperf3. A run folder stands for its
packets. Prints the indicators, what became of the packets, and what is noteworthy; the numbers, the table of packets
and the figures go into FILE.analysis beside the file. Two or more captures are compared with the first."""
_ARRIVALS = ("rx_hardware", "rx_kernel", "rx_program")
_MODES = ("stock", "guide")
_OF_A_RUN = ("packets.parquet", "capture.jsonl")  # the second one only as long as the run lasts, or was killed


def add_parser(commands: Any) -> None:
    """Adds the subcommand to those of `tsnlab`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "analyse", help="the numbers of captures, of any format and length", description=_HELP
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="captures, logs or run folders")
    output = parser.add_argument_group("what is written")
    output.add_argument("--json", action="store_true", help="print JSON, with indicators and packets as in run.json")
    output.add_argument("--print", action="store_true", help="only print; --json, --figures and --write do so as well")
    output.add_argument("--to", metavar="DIR", type=Path, help="write into this folder instead of FILE.analysis")
    output.add_argument("--figures", metavar="DIR", type=Path, help="draw the figures into this folder, SVG and PNG")
    output.add_argument(
        "--write", metavar="FILE", type=Path, help="write the packets: .parquet, .json (netlatency) or .pcap"
    )
    output.add_argument(
        "--as-hardware",
        action="store_true",
        help="with --write FILE.json: nl-calc knows only rx-hardware; write what stands for the arrival as it",
    )
    output.add_argument("--nl-calc", choices=_MODES, help="print what netlatency's nl-calc prints, and no more")
    output.add_argument("--follow", action="store_true", help="the numbers of a run folder while the run lasts")
    output.add_argument("--strict", action="store_true", help="exit status 2 if anything of a file was dropped")
    said = parser.add_argument_group("what the file does not say")
    said.add_argument("--stream", metavar="N", type=int, help="only this stream")
    said.add_argument("--window", metavar=("START", "END"), nargs=2, type=int, help="transmit window, ns in the cycle")
    said.add_argument("--case", metavar="NAME", help="case file, for its window, cycle and gates (that of the run)")
    said.add_argument("--gates", choices=("talker", "switch"), default="talker", help="whose gates are drawn (talker)")
    said.add_argument("--payload", metavar="NAME", default="netlatency", help="netlatency, sample-app-taprio or a file")
    said.add_argument("--arrival", choices=_ARRIVALS, default="rx_kernel", help="what took a pcap's times (rx_kernel)")
    said.add_argument("--cycle", metavar="NS", type=int, default=0, help="the cycle, if the file does not say it")
    said.add_argument("--base", metavar="NS", type=int, default=0, help="a time at which a cycle begins")
    said.add_argument("--variables", metavar="LETTERS", default="", help="isochron's --printf-args (qSHwstTRr)")
    parser.set_defaults(action=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyses the files; gives the exit status.

    Raises:
        ConfigError: a file cannot be opened or is not recognised, or the options do not fit.
    """
    # nothing here is linear algebra, for which OpenBLAS would start threads that wait in a loop
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _check(arguments)
    if arguments.follow:
        from tsnlab.following import follow

        return follow(arguments.files[0], _say, figures=arguments.figures)
    files = [_packets_of(path) for path in arguments.files]
    if arguments.nl_calc:
        return _nl_calc(files[0], _wishes(files[0], arguments), arguments)
    results = [_analysed(path, arguments) for path in files]
    comparisons = list(_comparisons(results))
    folder = arguments.figures or (None if _only_prints(arguments) else _folder(files[0], arguments))
    if folder:
        _draw_together(results, folder)
    if arguments.json:
        contents = [one.content for one in results]
        whole = contents[0] if len(contents) == 1 else {"files": contents, "comparisons": comparisons}
        _say(json.dumps(whole, indent=1))
    else:
        _tell(results, comparisons)
    damaged = any(one.damage for one in results)
    return ERROR if damaged and arguments.strict else OK


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _check(arguments: argparse.Namespace) -> None:
    if arguments.cycle < 0:
        raise ConfigError(f"--cycle {arguments.cycle}: a cycle is a positive number of nanoseconds")
    if len(arguments.files) > 1 and (arguments.write or arguments.nl_calc or arguments.follow):
        raise ConfigError("--write, --nl-calc and --follow take one file at a time")
    if arguments.as_hardware and (arguments.write is None or arguments.write.suffix == ".parquet"):
        raise ConfigError("--as-hardware goes with --write FILE.json")


def _packets_of(path: Path) -> Path:
    """The packets in a run folder; a file is itself."""
    if not path.is_dir():
        return path
    found = [path / name for name in _OF_A_RUN if (path / name).is_file()]
    if not found:
        raise ConfigError(f"{path}: a folder without packets.parquet or capture.jsonl; name a capture or a run folder")
    return found[0]


def _label(path: Path) -> str:
    """What a file is called in figures and in the names of files."""
    return path.absolute().parent.name if path.name in _OF_A_RUN else path.stem


def _only_prints(arguments: argparse.Namespace) -> bool:
    return not arguments.to and bool(arguments.print or arguments.json or arguments.figures or arguments.write)


def _folder(path: Path, arguments: argparse.Namespace) -> Path:
    """Where the numbers, the table and the figures of a file go."""
    return Path(arguments.to) if arguments.to else path.with_name(f"{path.name}.analysis")


def _wishes(path: Path, arguments: argparse.Namespace) -> Wishes:
    """What the command line, and the run that the file belongs to, say about it."""
    from tsnlab.examined import Wishes
    from tsnlab.formats.recognise import Options

    window, cycle_ns, taprio, traffic_class = arguments.window, arguments.cycle, None, None
    case = _case(path, arguments.case)
    if case is not None:
        taprio = case.taprio
        if arguments.gates == "switch":
            taprio = case.switch.taprio(case.stream) if case.switch is not None else None
        traffic_class = taprio.traffic_class(case.stream.priority) if taprio is not None else None
        window, cycle_ns = window or case.stream.window, cycle_ns or case.stream.cycle
    options = Options(arguments.payload, arguments.arrival, cycle_ns, arguments.base, arguments.variables)
    return Wishes(options, arguments.stream, tuple(window) if window else None, taprio, traffic_class)


def _case(path: Path, name: str | None) -> Case | None:
    """The case of that name, or that of the run whose folder the file is in."""
    of_a_run = path.name in _OF_A_RUN and (path.parent / "run.json").is_file()
    if name is None and not of_a_run:
        return None
    from tsnlab import files
    from tsnlab.case import Case, load_case
    from tsnlab.folder import RunFolder

    if name is not None:
        return load_case(name)
    content = RunFolder(path.parent).read().get("case_file")
    return None if content is None else files.check(content, Case, f"{path.parent / 'run.json'}: case_file", exact=True)


def _analysed(path: Path, arguments: argparse.Namespace) -> Result:
    from tsnlab.examined import examined

    wishes = _wishes(path, arguments)
    result = examined(path, wishes)
    if result.statistics is not None and arguments.write:
        _write(result, wishes, arguments.write, as_hardware=arguments.as_hardware)
    if result.statistics is not None and arguments.figures:
        _draw(result, wishes, arguments.figures)
    if not _only_prints(arguments):
        _keep(result, wishes, _folder(path, arguments))
    return result


def _keep(result: Result, wishes: Wishes, folder: Path) -> None:
    """Writes the numbers, the table and the figures of a file into a folder.

    Raises:
        ConfigError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; name a folder with --to, or pass --print") from error
    stem = _label(result.path)
    (folder / f"{stem}.json").write_text(json.dumps(result.content, indent=1) + "\n", encoding="utf-8")
    if result.statistics is None:
        return
    if result.content["format"] != "parquet":
        _write(result, wishes, folder / f"{stem}.parquet")
    _draw(result, wishes, folder)


def _write(result: Result, wishes: Wishes, target: Path, *, as_hardware: bool = False) -> None:
    """Writes the packets in the format of the target's suffix."""
    from tsnlab.examined import narrowed
    from tsnlab.formats import export
    from tsnlab.packets import COLUMNS

    assert result.statistics is not None
    about = result.statistics.info()
    export.write(lambda: narrowed(result.path, wishes, COLUMNS).chunks(), about, target, as_hardware=as_hardware)


def _draw(result: Result, wishes: Wishes, folder: Path) -> None:
    from tsnlab.examined import running
    from tsnlab.plot import streamed

    assert result.statistics is not None
    gates: dict[int, GateSchedule] = {}
    for number, one in result.statistics.streams.items():
        schedule = running(one, wishes)
        if schedule is not None:
            gates[number] = schedule
    streamed.save_all(result.statistics, folder, _label(result.path), gates=gates, traffic_class=wishes.traffic_class)


def _tell(results: Sequence[Result], comparisons: Sequence[dict[str, Any]]) -> None:
    from tsnlab.examined import texts

    for one in results:
        _say("\n".join(texts(one)))
    for comparison in comparisons:
        _say(f"{comparison['second']} beside {comparison['first']}: {comparison['statement']}")


def _comparisons(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Scheduled times of the second and later captures beside those of the first."""
    from tsnlab.analysis.comparison import compare

    captures = [(one.path, one.statistics) for one in results if one.statistics is not None]
    for path, statistics in captures[1:]:
        pair = (captures[0][1], statistics)
        ours, theirs = (one.together().tally for one in pair)
        found = compare(ours, theirs, (pair[0].effective(), pair[1].effective()))
        if found is not None:
            yield {"first": str(captures[0][0]), "second": str(path), **found.to_json()}


def _draw_together(results: Sequence[Result], folder: Path) -> None:
    """The tails of several captures on equal axes."""
    from tsnlab.plot import streamed

    listed = [(_label(one.path), one.path, one.statistics) for one in results if one.statistics is not None]
    labels = [label for label, _, _ in listed]
    captures = {label if labels.count(label) == 1 else str(path): found for label, path, found in listed}
    if len(captures) > 1:
        streamed.save(streamed.tails(captures), folder / "comparison")


def _nl_calc(path: Path, wishes: Wishes, arguments: argparse.Namespace) -> int:
    from tsnlab.analysis.nl_calc import NlCalc
    from tsnlab.examined import narrowed
    from tsnlab.formats.export import with_hardware
    from tsnlab.packets import COLUMNS

    source = narrowed(path, wishes, COLUMNS)
    calculator: NlCalc | None = None
    for chunk in source.chunks():
        if calculator is None:
            if source.about.cycle_ns < 1000:
                raise ConfigError(f"{path}: nl-calc needs the cycle; pass --cycle NS")
            calculator = NlCalc(source.about.cycle_ns // 1000, arguments.nl_calc)
        calculator.add(with_hardware(chunk, source.about.arrival))
    for one in (calculator or NlCalc(1, arguments.nl_calc)).result():
        _say(json.dumps(one))
    if source.damage:
        sys.stderr.write(f"dropped: {source.damage.dropped}\n")
    return ERROR if source.damage and arguments.strict else OK

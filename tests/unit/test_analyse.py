"""`tsnlab analyse`: any format by its content, the numbers of run.json, and damage that is told."""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tsnlab import analyse, packets
from tsnlab.analysis.indicators import indicators
from tsnlab.analysis.statistics import Statistics
from tsnlab.case import load_case
from tsnlab.errors import ConfigError
from tsnlab.formats import parquet
from tsnlab.formats.chunk import Chunk
from tsnlab.plot import streamed

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_000
ABOUT = packets.CaptureInfo(
    lab="virtual",
    case="case2",
    cycle_ns=CYCLE,
    window=(1_200_000, 1_300_000),
    clock="CLOCK_TAI",
    badges=("virtual lab",),
)


class Schedule:
    cycle_ns = 1_000_000
    base_time_ns = BASE
    entries = ((1, 200_000), (2, 100_000), (4, 700_000))


def frame_of(count: int = 400, shift: int = 0) -> Any:
    rng = np.random.default_rng(6)
    starts = [BASE + seq * CYCLE for seq in range(count)]
    late = rng.integers(1_253_100, 1_253_400, count) + shift
    talker = [(seq, start, start + 9, start + 3119) for seq, start in enumerate(starts)]
    listener = [
        (1, seq, start, start + 9, start + 3119, start + int(late[seq]), 0, start + int(late[seq]) + 30_000)
        for seq, start in enumerate(starts)
        if seq not in (17, 18)
    ]
    return packets.from_records(talker, listener, ABOUT, stream=1)


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    analyse.add_parser(parser.add_subparsers())
    return int(analyse.run(parser.parse_args(["analyse", *map(str, arguments)])))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return parquet.write(frame_of(), tmp_path / "packets.parquet")


def test_json_holds_the_indicators_and_packets_of_run_json(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, capture)
    expected = json.loads(json.dumps(indicators(frame_of()).to_json()))
    assert found["packets"] == expected["packets"]
    for name, summary in expected["indicators"].items():
        assert found["indicators"][name] == pytest.approx(summary, abs=2e-6), name
    assert (found["format"], found["badges"], found["arrival"]) == ("parquet", ["virtual lab"], expected["arrival"])
    assert found["streams"]["1"]["loss_bursts"]["longest"] == 2


def test_one_stream_of_a_table_has_its_own_counts(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = printed(capsys, capture, "--stream", "1")["packets"]
    assert (counts["sent"], counts["received"], counts["lost"]) == (400, 398, 2)
    assert printed(capsys, capture, "--stream", "2")["packets"]["received"] == 0


@pytest.mark.parametrize("suffix", ["json", "pcap", "parquet"])
def test_the_same_packets_give_the_same_indicators_in_every_format(
    capture: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = capture.with_name(f"again.{suffix}")
    # what was lost is in a row of the table, but in no capture of the listener
    rows = parquet.read(capture)
    received = packets.attach(rows[rows["rx_hardware"].notna()], packets.info(rows))
    parquet.write(received, capture)
    first = printed(capsys, capture, "--write", target)
    again = printed(capsys, target, "--arrival", "rx_hardware")
    assert again["indicators"] == first["indicators"]
    assert again["packets"]["received"] == 398
    assert again["packets"]["lost"] == 2


def test_the_text_shows_the_table_the_losses_and_the_window(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capture, "--print") == 0
    text = capsys.readouterr().out
    assert "packets.parquet: parquet" in text
    assert "TSN network jitter" in text
    assert "longest burst is 2 packets, from sequence number 17" in text
    assert "outside the window: 0 early, 0 late" in text


def test_a_damaged_file_gives_its_packets_and_a_status_only_if_strict(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = capture.with_name("rx.json")
    run(capture, "--write", target)
    text = target.read_text().splitlines()
    text[3] = text[3][:100]
    target.write_text("\n".join(text))
    assert run(target, "--print") == 0
    assert "dropped: 1" in capsys.readouterr().out
    assert run(target, "--print", "--strict") == 2
    assert "line 4" in capsys.readouterr().out


def test_two_runs_are_compared_with_a_statement(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = parquet.write(frame_of(shift=500), capture.with_name("other.parquet"))
    found = printed(capsys, capture, other, "--figures", capture.parent)
    assert capture.with_name("comparison.svg").exists()
    assert len(found["files"]) == 2
    assert "The runs differ" in found["comparisons"][0]["statement"]
    assert found["comparisons"][0]["mean_difference"] == pytest.approx(500)


def test_nl_calc_prints_its_three_objects(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capture, "--nl-calc", "guide") == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["type"] for one in objects] == [
        "histogram-program-latency",
        "histogram-scheduled-times",
        "histogram-jitter",
    ]


def test_a_log_gives_series_and_the_allan_deviation_of_offsets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "phc2sys.log"
    rows = [
        f"phc2sys[{second}.000]: CLOCK_REALTIME phc offset {second % 7 - 3} s2 freq +1 delay 9" for second in range(40)
    ]
    log.write_text("\n".join(rows))
    found = printed(capsys, log)
    assert found["series"]["phc2sys offset"]["count"] == 40
    assert found["series"]["phc2sys offset"]["allan_deviation"][0][:2] == [1, 2]
    assert run(log) == 0
    assert json.loads((tmp_path / "phc2sys.log.analysis" / "phc2sys.json").read_text()) == found


def test_the_text_of_a_log_has_units_and_facts_by_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "both.log"
    offsets = [f"phc2sys[{second}.000]: CLOCK_REALTIME phc offset {second} s2 freq +5 delay 9" for second in range(2)]
    states = [f"ptp4l[{second}.000]: port 1: LISTENING to MASTER on TIMEOUT" for second in range(12)]
    log.write_text("\n".join(offsets + states))
    assert run(log, "--print") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "phc2sys frequency (ppb): 2 values, min 5, mean 5.0, max 5, std 0.0 ppb" in lines
    assert "phc2sys servo state: 2 values, min 2, mean 2.0, max 2, std 0.0" in lines
    begin = lines.index("states:")
    assert lines[begin + 1].startswith("  0.000 port 1: LISTENING")
    assert (lines[begin + 6], lines[begin + 11]) == ("  ...", "  11.000 port 1: LISTENING to MASTER on TIMEOUT")


def test_by_default_numbers_table_and_figures_are_written_beside_the_file(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = capture.with_name("rx.json")
    run(capture, "--write", target)
    assert not capture.with_name("packets.parquet.analysis").exists()
    assert run(target) == 0
    folder = target.with_name("rx.json.analysis")
    kinds = ("report", "tail", "time-series", "phase")
    pictures = {f"rx-{kind}.{end}" for kind in kinds for end in ("svg", "png")}
    assert {path.name for path in folder.iterdir()} == {"rx.json", "rx.parquet", *pictures}
    assert "TSN network jitter" in capsys.readouterr().out
    assert len(parquet.read(folder / "rx.parquet")) == 398
    assert (
        printed(capsys, folder / "rx.parquet")["indicators"]
        == json.loads((folder / "rx.json").read_text())["indicators"]
    )


def test_a_run_folder_stands_for_its_packets_with_the_gates_of_its_case(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = load_case("case2")
    content = {"run": "case2-x", "status": "done", "case_file": case.model_dump(mode="json", by_alias=True)}
    capture.with_name("run.json").write_text(json.dumps(content))
    found = printed(capsys, capture.parent)
    gates = found["streams"]["1"]["gates"]
    assert [(one["start_ns"], one["end_ns"]) for one in gates] == [
        (first, first + 100_000) for first in (200_000, 700_000, 1_200_000, 1_700_000)
    ]
    assert [one["arrived"] for one in gates] == [0, 0, 398, 0]
    assert sum(one["sent"] for one in gates) == 0  # 3 us after the cycle begins, before any of them
    assert run(capture, "--print") == 0
    assert "gate of class 1 open 1200 to 1300 us: 0 sent and 398 arrived in it" in capsys.readouterr().out


@pytest.mark.parametrize("gates", ["talker", "switch"])
def test_the_gates_of_a_named_case_are_in_the_phase_figure(capture: Path, gates: str) -> None:
    assert run(capture, "--case", "case3", "--gates", gates, "--figures", capture.parent / "figures") == 0
    assert "<!-- TC 1 (stream) -->" in (capture.parent / "figures" / f"{capture.parent.name}-phase.svg").read_text()


def test_a_folder_without_packets_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"packets\.parquet"):
        run(tmp_path)


def test_a_run_is_followed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_json, raw = tmp_path / "run.json", tmp_path / "capture.jsonl"
    content = {"run": "r", "case": "case2", "status": "running", "parameters": {"cycle_us": 2000}}
    run_json.write_text(json.dumps(content))

    def measure() -> None:
        for first in range(0, 300, 100):
            rows = [
                [0, seq, BASE + seq * CYCLE, 0, BASE + seq * CYCLE + 3, BASE + seq * CYCLE + 99, 0, 0]
                for seq in range(first, first + 100)
            ]
            with raw.open("a") as file:
                file.write(json.dumps({"from": "listener", "said": {"packets": rows}}) + "\n")
            time.sleep(0.2)
        run_json.write_text(json.dumps(content | {"status": "done"}))

    writer = threading.Thread(target=measure)
    writer.start()
    assert run(tmp_path, "--follow", "--figures", tmp_path / "figures") == 0
    writer.join()
    lines = capsys.readouterr().out.splitlines()
    assert "300 received, 0 missing; scheduled times 0.099 to 0.099 us" in lines[-2]
    assert lines[-1] == f"the measurement is over: tsnlab analyse {tmp_path}"
    assert (tmp_path / "figures" / f"{tmp_path.name}-report.png").is_file()


def test_the_file_of_a_killed_run_is_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = [0, 4, BASE, 0, BASE + 3, 0, BASE + 99, 0]
    said = {"from": "listener", "said": {"packets": [row]}}
    (tmp_path / "capture.jsonl").write_text(json.dumps(said) + "\n")
    found = printed(capsys, tmp_path)
    assert (found["format"], found["packets"]["received"]) == ("measurement", 1)
    assert found["arrival"] == "rx_kernel (kernel timestamp)"


def test_options_that_do_not_fit_are_refused(capture: Path) -> None:
    with pytest.raises(ConfigError, match="suffix"):
        run(capture, "--write", capture.with_name("x.txt"))
    with pytest.raises(ConfigError, match="one file at a time"):
        run(capture, capture, "--nl-calc", "stock")
    with pytest.raises(ConfigError, match="--cycle"):
        run(capture, "--cycle", "-1")


def test_figures_are_saved_as_svg_and_png_and_say_where_they_come_from(capture: Path, tmp_path: Path) -> None:
    assert run(capture, "--figures", tmp_path / "figures") == 0
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {
        f"{capture.parent.name}-{kind}.{end}"
        for kind in ("report", "tail", "time-series", "phase")
        for end in ("svg", "png")
    } == names


def statistics_of(count: int) -> Statistics:
    seq = np.arange(count)
    start = BASE + seq * CYCLE
    statistics = Statistics(ABOUT)
    columns = {"stream": np.ones_like(seq), "seq": seq, "interval_start": start, "tx_program": start + seq % 900_000}
    statistics.add(Chunk({**columns, "rx_hardware": start + 1_253_000 + seq % 301}))
    return statistics


def artists(figure: Any) -> int:
    return sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines)


def test_figures_of_many_packets_hold_few_points() -> None:
    statistics = statistics_of(200_000)
    for figure in (
        streamed.time_series(statistics),
        streamed.tails({"one": statistics, "other": statistics}),
        streamed.phase(statistics, schedule=Schedule()),
        streamed.report(statistics),
    ):
        assert artists(figure) < 12_000
        texts = " ".join(text.get_text() for text in figure.texts)
        assert "virtual lab" in texts


def test_figures_without_packets_say_so() -> None:
    empty = Statistics(ABOUT)
    for figure in (
        streamed.report(empty),
        streamed.time_series(empty),
        streamed.tails({"none": empty}),
        streamed.phase(empty),
    ):
        figure.canvas.draw()
    with pytest.raises(ConfigError, match="stream 4"):
        streamed.report(empty, stream=4)


def test_the_phase_figure_tells_how_many_packets_are_in_the_window() -> None:
    figure = streamed.phase(statistics_of(1000))
    assert "1,000 of 1,000 arrive in the window, 0 outside" in " ".join(
        text.get_text() for axes in figure.axes for text in axes.texts
    )

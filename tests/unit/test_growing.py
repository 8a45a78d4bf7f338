"""A measurement while it is being written: nothing is read twice, nothing is missed, a new attempt is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsnlab import packets
from tsnlab.analysis.statistics import Statistics, gather
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import joined
from tsnlab.formats.growing import Growing, so_far

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_001


def sent(seq: int) -> list[int]:
    start = BASE + seq * CYCLE
    return [seq, start, start + 9, start + 3119]


def arrived(seq: int) -> list[int]:
    return [0, *sent(seq), 0, BASE + seq * CYCLE + 1_253_200 + seq % 50, 0]


def said(who: str, **record: object) -> str:
    return json.dumps({"from": who, "said": record}) + "\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    content = {"run": "case2-x", "case": "case2", "parameters": {"cycle_us": 2000, "lab_file": "virtual"}}
    (tmp_path / "run.json").write_text(json.dumps(content))
    return tmp_path


def add(run: Path, text: str) -> None:
    with (run / "capture.jsonl").open("a") as file:
        file.write(text)


def seqs(growing: Growing) -> list[int]:
    found = list(growing.fresh())
    return [int(seq) for seq in joined(found).columns["seq"]] if found else []


def test_each_look_gives_what_is_new(run: Path) -> None:
    growing = Growing(run)
    assert (seqs(growing), growing.attempt) == ([], 0)
    add(run, said("talker", refused=[]) + said("listener", timestamps="kernel"))
    add(run, said("talker", packets=[sent(0), sent(1), sent(2)]) + said("listener", packets=[arrived(0)]))
    assert (seqs(growing), growing.sent, growing.attempt) == ([0], 3, 1)
    assert seqs(growing) == []
    add(run, said("listener", packets=[arrived(2), arrived(1)]))
    assert seqs(growing) == [2, 1]
    assert not growing.damage


def test_a_line_that_is_being_written_waits(run: Path) -> None:
    growing, line = Growing(run / "capture.jsonl"), said("listener", packets=[arrived(5), arrived(6)])
    for cut in (1, len(line) // 2, len(line) - 1):
        add(run, line[:cut])
        assert seqs(growing) == []
        add(run, line[cut:])
        assert seqs(growing) == [5, 6]


def test_a_new_attempt_begins_anew(run: Path) -> None:
    growing = Growing(run)
    add(run, said("talker", packets=[sent(0), sent(1)]) + said("listener", packets=[arrived(0), arrived(1)]))
    assert seqs(growing) == [0, 1]
    (run / "capture.jsonl").rename(run / "old")
    assert seqs(growing) == []
    add(run, said("listener", packets=[arrived(0)]))
    assert (seqs(growing), growing.attempt, growing.sent) == ([0], 2, 0)


def test_the_table_so_far_is_the_table_in_the_end(run: Path) -> None:
    lost = {3, 4}
    for seq in range(20):
        add(run, said("talker", packets=[sent(seq)]))
        if seq not in lost:
            add(run, said("listener", packets=[arrived(seq)]))
    frame = so_far(run)
    about = packets.info(frame)
    counts = (about.lab, about.case, about.cycle_ns, about.complete, about.sent, about.received, about.lost)
    assert counts == ("virtual", "case2", CYCLE, False, 20, 18, 2)
    whole = packets.from_records(
        [sent(seq) for seq in range(20)], [arrived(seq) for seq in range(20) if seq not in lost], about, stream=0
    )
    pd.testing.assert_frame_equal(frame, whole)


def test_statistics_of_a_growing_file_are_those_of_the_whole(run: Path) -> None:
    growing, live = Growing(run), Statistics(packets.CaptureInfo(lab="virtual", case="case2", cycle_ns=CYCLE))
    for first in range(0, 900, 100):
        add(run, said("listener", packets=[arrived(seq) for seq in range(first, first + 100)]))
        for chunk in growing.fresh():
            live.add(chunk)
        assert live.indicators().scheduled_times_us.count == first + 100
    whole = gather(Growing(run)).indicators()
    assert live.indicators().scheduled_times_us == whole.scheduled_times_us
    assert whole.scheduled_times_us.max == 1253.249


@pytest.mark.parametrize("bad", ["{", "[]", '{"from":"listener","said":{"packets":[[1,2]]}}', "null", '{"from":"x"}'])
def test_a_damaged_line_is_counted_and_passed_over(run: Path, bad: str) -> None:
    growing = Growing(run)
    add(run, said("listener", packets=[arrived(0)]) + bad + "\n" + said("listener", packets=[arrived(1)]))
    assert seqs(growing) == [0, 1]
    assert growing.damage.dropped == 1
    assert "line 2" in growing.damage.flaws[0]


@pytest.mark.parametrize("time", [1.5, 1 << 64, (1 << 63) + 1, "now"])
def test_a_time_that_is_no_nanosecond_is_damage(run: Path, time: object) -> None:
    row = [*arrived(0)[:-1], time]
    growing = Growing(run)
    add(run, said("listener", packets=[row]))
    assert seqs(growing) == []
    assert growing.damage.dropped == 1


def test_without_a_measurement_the_error_says_where_to_look(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"packets\.parquet"):
        so_far(run)


def test_nanoseconds_survive(run: Path) -> None:
    add(run, said("listener", packets=[arrived(7)]))
    chunk = next(Growing(run).fresh())
    assert {one.dtype for one in chunk.columns.values()} == {np.dtype(np.int64)}
    assert int(chunk.columns["interval_start"][0]) == BASE + 7 * CYCLE

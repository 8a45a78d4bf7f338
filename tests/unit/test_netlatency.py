"""netlatency's JSON lines: every spelling, any chunks, and nl-calc's numbers to the last digit."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsnlab import packets
from tsnlab.analysis.nl_calc import Mode, NlCalc, nl_calc
from tsnlab.errors import ConfigError
from tsnlab.formats import digits, json_lines, netlatency
from tsnlab.formats.chunk import Chunk, joined
from tsnlab.formats.json_lines import Parser
from tsnlab.formats.json_template import Rhythm, Template
from tsnlab.formats.netlatency import NetlatencySource

FUZZ = int(os.environ.get("TSNLAB_FUZZ", "60"))
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
BASE = 1_588_076_872_000_000_001
TIMES = ("interval_start", "tx_wakeup", "tx_program", "tx_kernel_netsched", "tx_kernel_hardware", "rx_hardware")
OLD_SAMPLE = (
    '{"type":"rx-packet","object":{"stream-id":0,"sequence-number":612295,"interval-usec":1000,"offset-usec":0,'
    '"timestamps":{"names":["interval-start","tx-wakeup","tx-program","tx-last-kernel-netsched",'
    '"tx-last-kernel-driver","rx-hardware","rx-kernerl-driver","rx-program"],"values":['
    '"2018-04-19T05:17:34.771000000Z","2018-04-19T05:17:34.771002291Z","2018-04-19T05:17:34.771002318Z",'
    '"2018-04-19T05:17:34.770004281Z","2018-04-19T05:17:34.770005647Z","2018-04-19T05:17:34.771021776Z",'
    '"1970-01-01T00:00:00.000000000Z","2018-04-19T05:17:34.771154365Z"]}}}\n'
)

moments = st.integers(0, (1 << 63) - 1)
packet_rows = st.lists(
    st.tuples(st.sampled_from([0, 1, 12, 255]), st.integers(0, (1 << 32) - 1), *[moments] * 7), max_size=30
)


def chunk_of(rows: list[tuple[int, ...]]) -> Chunk:
    names = ("stream", "seq", *TIMES, "rx_program")
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(names))
    return Chunk({name: table[:, place].copy() for place, name in enumerate(names)})


def same(one: Chunk, other: Chunk) -> bool:
    def columns(chunk: Chunk) -> dict[str, list[int]]:
        keys = ("stream", "seq")
        return {name: values.tolist() for name, values in chunk.columns.items() if name in keys or values.any()}

    return columns(one) == columns(other)


def read(path: Path, block: int = 4 << 20) -> Chunk:
    return joined(list(NetlatencySource(path, columns=packets.COLUMNS, block=block).chunks()))


@given(moments)
def test_a_time_survives_writing_and_reading(nanoseconds: int) -> None:
    text = digits.time_text(nanoseconds)
    assert digits.time_of(text) == nanoseconds == digits.time_of(f"{text}Z")
    rows = np.frombuffer(f"x{text}after".encode(), np.uint8).reshape(1, -1)
    begun, exists = digits.minutes(rows, 1)
    assert exists.all()
    assert (begun + digits.nanoseconds(rows, 1)).tolist() == [nanoseconds]


@given(st.lists(st.sampled_from(["2020-11-20T10:00", "2020-11-20T10:01", "2021-13-20T10:00", "2020-02-30T10:00"])))
def test_minutes_that_do_not_exist_are_told(listed: list[str]) -> None:
    rows = np.frombuffer(
        "".join([f"{one}:00.000000000..." for one in ["2020-11-20T10:00", *listed]]).encode(), np.uint8
    )
    begun, exists = digits.minutes(rows.reshape(-1, 32), 0)
    told = np.broadcast_to(exists, len(listed) + 1)[1:]
    assert told.tolist() == [not ("-13-" in one or "-30T" in one) for one in listed]
    assert all(
        value == digits.time_of(f"{one}:00") for value, one, good in zip(begun[1:], listed, told, strict=False) if good
    )


@given(st.integers(0, 10**18 - 1), st.integers(0, 9), st.binary(min_size=8, max_size=12))
def test_digits_of_any_length_at_any_place(value: int, zeros: int, before: bytes) -> None:
    text = before + (b"0" * zeros + str(value).encode())[-18:]
    rows = np.frombuffer(text * 3, np.uint8).reshape(3, -1)
    assert digits.number(rows, len(before), len(text) - len(before)).tolist() == [int(text[len(before) :])] * 3


@given(st.integers(0, len(OLD_SAMPLE) - 1), st.integers(0, 255), st.integers(0, 599))
def test_a_byte_that_does_not_belong_there_is_told(place: int, byte: int, line: int) -> None:
    template = Template.of(OLD_SAMPLE[:-1].encode(), json_lines.NUMBERS, json_lines.SPELLINGS)
    assert template is not None
    rows = np.frombuffer(OLD_SAMPLE.encode() * 600, np.uint8).reshape(600, -1).copy()
    rows[line, place] = byte
    belongs = byte == ord(OLD_SAMPLE[place]) or (chr(byte).isdigit() and OLD_SAMPLE[place].isdigit())
    fits = template.within(rows)
    assert not fits[line] or belongs
    expected = (600, 600) if fits[line] else (599, line)
    assert (fits.sum(), len(Rhythm([template]).leading(rows.ravel())[0])) == expected


turns = st.lists(st.sampled_from([0, 7, 12, 99, 113, 255]), min_size=1, max_size=9)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(turns, st.sets(st.integers(0, 400), max_size=6), st.sampled_from([3_000, 40_000, 4 << 20]))
def test_streams_that_take_turns_in_any_way_are_read_the_same(
    tmp_path: Path, streams: list[int], lost: set[int], block: int
) -> None:
    rows = [(stream, seq, *[BASE + seq] * 7) for seq in range(40) for stream in streams]
    kept = [row for place, row in enumerate(rows) if place not in lost]
    path = netlatency.write([chunk_of(kept)], tmp_path / "rx.json", interval_us=2000)
    assert same(read(path, block), chunk_of(kept))


@same_folder
@given(packet_rows, st.sampled_from([1, 600, 5000]))
def test_reading_gives_back_what_was_written(tmp_path: Path, rows: list[tuple[int, ...]], block: int) -> None:
    path = netlatency.write([chunk_of(rows)], tmp_path / "rx.json", interval_us=2000)
    assert same(read(path, block), chunk_of(rows))


def test_the_written_lines_are_those_of_nl_rx(tmp_path: Path) -> None:
    chunk = chunk_of([(0, 1, *[1_605_866_400_000_000_000] * 7)])
    text = netlatency.write([chunk], tmp_path / "rx.json", interval_us=2000).read_text()
    assert text.startswith(
        '{"type":"rx-packet","object":{"stream-id":0,"sequence-number":1,"interval-usec":2000,"offset-usec":0,'
        '"timestamps":{"names":["interval-start","tx-wakeup","tx-program","tx-kernel-netsched",'
        '"tx-kernel-hardware","rx-hardware","rx-program"],"values":["2020-11-20T10:00:00.000000000",'
    )


def test_the_oldest_spelling_and_the_packet_before(tmp_path: Path) -> None:
    path = tmp_path / "rx.json"
    path.write_text(OLD_SAMPLE + OLD_SAMPLE.replace("612295", "612296"))
    frame = read(path)
    assert frame.columns["rx_hardware"].tolist() == [1_524_115_054_771_021_776] * 2
    assert frame.columns["tx_kernel_netsched"].tolist() == [1_524_115_054_770_004_281, 0]
    assert "rx_kernel" not in frame.columns  # 1970 is not a time


def test_an_unknown_name_and_another_order_of_keys_are_read(tmp_path: Path) -> None:
    record = json.loads(OLD_SAMPLE)
    record["object"]["timestamps"]["names"][1] = "tx-moon"
    record["object"] = dict(reversed(list(record["object"].items())))
    path = tmp_path / "rx.json"
    path.write_text(json.dumps(record, indent=None) + "\n" + json.dumps(record))
    frame = read(path)
    assert len(frame) == 2
    assert "tx_wakeup" not in frame.columns


def test_two_streams_one_after_the_other_stay_in_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(stream, seq, *[BASE + seq] * 7) for seq in range(3000) for stream in (7, 113)]
    path = netlatency.write([chunk_of(rows)], tmp_path / "rx.json", interval_us=2000)
    slow = []
    original = Parser.slow

    def noted(self: Parser, line: bytes, number: int) -> dict[str, int] | None:
        slow.append(number)
        return original(self, line, number)

    monkeypatch.setattr(Parser, "slow", noted)
    assert same(read(path, 100_000), chunk_of(rows))
    assert len(slow) < 20


def test_damaged_lines_are_counted_and_named(tmp_path: Path) -> None:
    path = netlatency.write([chunk_of([(0, seq, *[BASE] * 7) for seq in range(5)])], tmp_path / "x", interval_us=1)
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:-9]
    lines[3] = lines[3].replace("2020", "20x0", 1)
    path.write_text("\n".join(lines))
    source = NetlatencySource(path)
    assert joined(list(source.chunks())).columns["seq"].tolist() == [0, 1, 4]
    assert source.damage.dropped == 2
    assert all(f"{path}: line {number}" in flaw for number, flaw in zip((3, 4), source.damage.flaws, strict=True))


def test_error_lines_are_counted_and_other_objects_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rx.json"
    error = '{"type":"rx-error","object":{"dropped-packets":4,"sequence-error":false}}\n'
    path.write_text(error + '{"type":"latency-calc","object":{}}\n\n' + OLD_SAMPLE + error)
    source = NetlatencySource(path)
    assert len(joined(list(source.chunks()))) == 1
    assert source.errors == {"lines": 2, "dropped_packets": 8}
    assert not source.damage


def test_a_leading_zero_is_no_number_of_json(tmp_path: Path) -> None:
    path = tmp_path / "rx.json"
    path.write_text(OLD_SAMPLE + OLD_SAMPLE.replace("612295", "012295"))
    source = NetlatencySource(path)
    assert len(joined(list(source.chunks()))) == 1
    assert source.damage.dropped == 1


def test_no_such_file() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        NetlatencySource("/nowhere/rx.json")


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_never_stops_the_reader(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray((OLD_SAMPLE + OLD_SAMPLE.replace("612295", "612296")).encode() * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(whole)))
        whole[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    path = tmp_path / "rx.json"
    path.write_bytes(whole)
    source = NetlatencySource(path, columns=packets.COLUMNS, block=700)
    once = joined(list(source.chunks()))
    assert len(once) <= 5
    # the fast way and the slow way agree on what is a packet
    parser = Parser(str(path), json_lines.COLUMNS, ())
    accepted = [line for line in bytes(whole).split(b"\n") if parser.slow(line, 1) is not None]
    assert len(once) == len(accepted)


def oracle(chunk: Chunk, interval_us: int, mode: Mode) -> list[dict[str, Any]]:
    """FACTS of nl-calc, one packet after the other in plain Python."""
    bins = (50, 1000 if mode == "stock" else 2000, 2000)
    found = [{"count": 0, "min": 0, "max": 0, "outliers": 0, "time_error": 0, "histogram": [0] * n} for n in bins]

    def general(value: float, one: dict[str, Any]) -> None:
        one["count"] += 1
        one["max"] = value if value > one["max"] or one["max"] == 0 else one["max"]
        one["min"] = value if value < one["min"] or one["min"] == 0 else one["min"]

    mean: float = 0
    names = ("interval_start", "tx_program", "rx_hardware")
    for n, (start, program, arrival) in enumerate(zip(*(chunk.columns[name].tolist() for name in names), strict=True)):
        value = (program - start) / 1000 % interval_us
        late = (arrival - start) / 1000
        wrapped = (arrival - start) % (interval_us * 1000)
        mean = (n * mean + wrapped) / (n + 1)
        jitter = mean - wrapped
        values = [int(one) if mode == "stock" else one for one in (value, late, jitter)]
        for one, content in zip(values, found, strict=True):
            general(one, content)
        for content, one, limit in ((found[0], values[0], values[0] < 50), (found[1], values[1], values[1] <= bins[1])):
            if one < 0:
                content["time_error"] += 1
            elif not limit:
                content["outliers"] += 1
            else:
                content["histogram"][int(one) % bins[1]] += 1
        place = values[2] + 1000
        if 0 <= place < 2000:
            found[2]["histogram"][int(place)] += 1
        else:
            found[2]["outliers"] += 1
    return found


near = st.integers(-1_500, 3_000_000)


@given(
    st.lists(st.tuples(near, near, st.booleans()), max_size=40),
    st.lists(st.integers(0, 40), max_size=3),
    st.sampled_from(["stock", "guide"]),
)
def test_nl_calc_to_the_last_digit_for_any_chunks(
    rows: list[tuple[int, int, bool]], where: list[int], mode: Mode
) -> None:
    start = np.full(len(rows), BASE, dtype=np.int64)
    arrival = [BASE + late if stamped else 0 for _, late, stamped in rows]
    columns = {
        "seq": np.arange(len(rows)),
        "interval_start": start,
        "tx_program": start + np.array([one[0] for one in rows], dtype=np.int64),
        "rx_hardware": np.array(arrival, dtype=np.int64),
    }
    chunk = Chunk(columns)
    calculator = NlCalc(2000, mode)
    for part in np.split(np.arange(len(rows)), sorted(where)):
        calculator.add(chunk.where(part))
    for ours, theirs in zip(calculator.result(), oracle(chunk, 2000, mode), strict=True):
        kept = {name: ours["object"][name] for name in theirs}
        assert json.dumps(kept | {"min": float(kept["min"]), "max": float(kept["max"])}) == json.dumps(
            theirs | {"min": float(theirs["min"]), "max": float(theirs["max"])}
        )
        if mode == "stock":
            assert isinstance(kept["min"], int)


def test_nl_calc_gives_its_keys_in_its_order_and_parts_of_n_packets() -> None:
    start = BASE + np.arange(5) * 2_000_000
    chunk = Chunk({"seq": np.arange(5), "interval_start": start, "tx_program": start + 3119, "rx_hardware": start + 9})
    printed = nl_calc([chunk], 2000, "guide", every=2)
    assert [one["object"]["count"] for one in printed[::3]] == [2, 2, 1]
    assert list(printed[2]["object"]) == [
        *("stream-id", "count", "min", "max", "outliers", "time_error", "offset", "histogram"),
        *("start-timestamp", "end-timestamp"),
    ]
    assert printed[0]["object"]["start-timestamp"] == "2020-04-28T12:27:52.000003120Z"
    assert (printed[0]["type"], printed[0]["object"]["max"]) == ("histogram-program-latency", 3.119)


def test_nl_calc_without_packets_prints_empty_histograms() -> None:
    printed = copy.deepcopy(nl_calc([], 2000))
    assert [one["object"]["start-timestamp"] for one in printed] == [None] * 3

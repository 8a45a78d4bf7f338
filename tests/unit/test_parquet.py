"""tsnlab's Parquet files: nothing is lost, and other files are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats import parquet

ABOUT = packets.CaptureInfo(
    lab="virtual",
    case="case3",
    cycle_ns=2_000_000,
    run="case3-1",
    window=(1_200_000, 1_300_000),
    clock="CLOCK_TAI of one kernel, simulated time",
    late={"missed": 2},
    complete=False,
    badges=("virtual lab", "simulated time"),
    sync={"ok": True, "worst_offset_ns": 12},
    load={"offered_bps": 956e6, "frames_sent": 82_570},
)
# the machine may be busy; every example writes the same file anew
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
times = st.integers(0, (1 << 63) - 1)


def capture() -> pd.DataFrame:
    return packets.from_records([(0, 1, 2, 3), (1, 4, 5, 6)], [(0, 1, 4, 5, 6, 0, 7, 8)], ABOUT, stream=0)


def rewritten(path: Path, metadata: dict[bytes, bytes] | None) -> Path:
    pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)
    return path


@unhurried
@given(
    talker=st.lists(st.tuples(st.integers(0, 40), times, times, times), max_size=20),
    listener=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), *[times] * 6), max_size=20),
)
def test_reading_gives_back_what_was_written(tmp_path: Path, talker: list, listener: list) -> None:  # type: ignore[type-arg]
    frame = packets.from_records(talker, listener, ABOUT, stream=1)
    again = parquet.read(parquet.write(frame, tmp_path / "packets.parquet"))
    assert_frame_equal(again, frame, check_exact=True)
    assert packets.info(again) == packets.info(frame)


def test_an_empty_capture_is_a_capture(tmp_path: Path) -> None:
    again = parquet.read(parquet.write(packets.empty(ABOUT), tmp_path / "packets.parquet"))
    assert len(again) == 0
    assert packets.info(again) == ABOUT


def test_other_readers_see_plain_integers_and_the_version(tmp_path: Path) -> None:
    table = pq.read_table(parquet.write(capture(), tmp_path / "packets.parquet"))
    assert set(table.schema.types) == {pa.int64()}
    assert json.loads(table.schema.metadata[b"tsnlab"])["schema_version"] == packets.SCHEMA_VERSION


def test_writing_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    parquet.write(capture(), tmp_path / "packets.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["packets.parquet"]


def test_a_write_that_fails_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    path = parquet.write(capture(), tmp_path / "packets.parquet")
    with pytest.raises(ConfigError):
        parquet.write(capture().astype({"seq": "float64"}), path)
    assert len(parquet.read(path)) == 2


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "packets.parquet").mkdir()
    with pytest.raises(OSError, match=r"packets\.parquet"):
        parquet.write(capture(), tmp_path / "packets.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["packets.parquet"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.parquet: no such file"):
        parquet.read(tmp_path / "nowhere.parquet")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packets.parquet"
    path.write_text("these are not the packets you are looking for")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        parquet.read(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = parquet.write(capture(), tmp_path / "packets.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="damaged"):
        parquet.read(path)


def test_a_parquet_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = rewritten(parquet.write(capture(), tmp_path / "packets.parquet"), None)
    with pytest.raises(ConfigError, match="not a capture written by tsnlab"):
        parquet.read(path)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    path = parquet.write(capture(), tmp_path / "packets.parquet")
    newer = json.dumps({"schema_version": packets.SCHEMA_VERSION + 1}).encode()
    with pytest.raises(ConfigError, match=f"version {packets.SCHEMA_VERSION + 1}.*newer tsnlab"):
        parquet.read(rewritten(path, {b"tsnlab": newer}))


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"lab": "x"}', b'{"schema_version": 1, "lab": 3}'])
def test_a_damaged_description_is_refused(tmp_path: Path, metadata: bytes) -> None:
    path = parquet.write(capture(), tmp_path / "packets.parquet")
    with pytest.raises(ConfigError, match=r"packets\.parquet: its `tsnlab` metadata"):
        parquet.read(rewritten(path, {b"tsnlab": metadata}))


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    path = parquet.write(capture(), tmp_path / "packets.parquet")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["rx_kernel"]), path)
    with pytest.raises(ConfigError, match="columns are"):
        parquet.read(path)

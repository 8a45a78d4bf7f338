"""Logs and exports of other programs: their samples are read, and no damage stops a reader."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsnlab.errors import ConfigError
from tsnlab.formats import iperf3, ptp_log, sample_app
from tsnlab.formats.chunk import joined
from tsnlab.formats.isochron import IsochronSource
from tsnlab.formats.log import Log
from tsnlab.formats.recognise import open_capture, open_log, recognise

FUZZ = int(os.environ.get("TSNLAB_FUZZ", "60"))

PTP = """\
ptp4l[5374018.735]: rms  787 max 1208 freq -38601 +/- 1071 delay  -14 +/-   0
ptp4l[5374019.100]: port 1 (eth0): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED
ptp4l[5374020.735]: master offset        -12 s2 freq  -36271 path delay       -14
phc2sys[5374168.545]: CLOCK_REALTIME phc offset   -372582 s0 freq    +246 delay   6649
Nov 25 01:02:03 host phc2sys: [5374169.545] CLOCK_REALTIME phc offset   -372832 s1 freq      -4 delay   6673
"""
SAMPLE_LOG = """\
TSN VLAN Priority 6 - Seq: 1 Latency = 1253188 ns Inter-packet latency = 0 ns
TSN VLAN Priority 6 - Seq: 2 Latency = 1253201 ns Inter-packet latency = 2000013 ns
msgsnd(): Message queue is full
"""
LATENCIES = "6 2000013\n6 1999987\n5 7\n"
_ONE = "1 A1250000 1250000 A000001236 A000003119 A000004000 A001250020 A001253188 A001300000"
ISOCHRON = "# isochron report\n" + _ONE.replace("A1250000", "A001250000").replace("A", "1588076872") + "\n"
ISOCHRON += (
    _ONE.replace("1 A1250000", "2 A003250000").replace("A000", "A002").replace("A001", "A003").replace("3188", "3191")
).replace("A", "1588076872.").replace(" ", ",") + "\n"
IPERF = {
    "start": {"version": "iperf 3.12", "cookie": "x", "test_start": {"protocol": "UDP", "blksize": 1448}},
    "intervals": [{"streams": [], "sum": {"start": 0, "end": 1.0, "bits_per_second": 956e6, "packets": 82570}}],
    "end": {
        "sum": {"bits_per_second": 956e6, "lost_packets": 50368, "packets": 82570, "lost_percent": 61.0},
        "sum_received": {"bits_per_second": 371e6, "jitter_ms": 0.012},
    },
}

IPERF_TEXT = json.dumps(IPERF)


IPERF_PRINTED = """\
Connecting to host 192.168.1.2, port 5201
[  5] local 192.168.1.3 port 39011 connected to 192.168.1.2 port 5201
[ ID] Interval           Transfer     Bitrate         Total Datagrams
[  5]   0.00-1.00   sec   114 MBytes   956 Mbits/sec  82541
[  5]   1.00-2.00   sec   114 MBytes   957 Mbits/sec  82572
- - - - - - - - - - - - - - - - - - - - - - - - -
[ ID] Interval           Transfer     Bitrate         Jitter    Lost/Total Datagrams
[  5]   0.00-2.00   sec   228 MBytes   957 Mbits/sec  0.000 ms  0/165113 (0%)  sender
[  5]   0.00-2.04   sec  88.6 MBytes   365 Mbits/sec  0.013 ms  100892/165056 (61%)  receiver

iperf Done.
"""


def saved(folder: Path, text: str) -> Path:
    path = folder / "log"
    path.write_text(text)
    return path


def test_offsets_of_ptp4l_and_phc2sys_keep_their_sign(tmp_path: Path) -> None:
    log = ptp_log.read(saved(tmp_path, PTP))
    assert log.series["phc2sys offset"].values.tolist() == [-372582, -372832]
    assert log.series["phc2sys offset"].keys.tolist() == [5374168545, 5374169545]
    assert log.series["ptp4l offset"].values.tolist() == [-12]
    assert log.series["ptp4l offset rms"].values.tolist() == [787]
    units = {log.series[name].unit for name in log.series if "frequency" in name}
    assert (units, log.series["phc2sys delay"].unit, log.series["ptp4l servo state"].unit) == ({"ppb"}, "ns", "")
    assert log.facts["states"] == ["5374019.100 port 1: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED"]
    assert not log.damage


def test_the_receivers_log_of_the_sample_application(tmp_path: Path) -> None:
    log = sample_app.read_log(saved(tmp_path, SAMPLE_LOG + SAMPLE_LOG[:40]))
    assert log.series["latency priority 6"].values.tolist() == [1253188, 1253201]
    assert log.series["inter-packet latency priority 6"].values.tolist() == [2000013]
    assert (log.facts, log.damage.dropped) == ({"queue_full": 1}, 1)
    assert "line 4" in log.damage.flaws[0]


def test_what_iperf3_prints_without_json(tmp_path: Path) -> None:
    path = saved(tmp_path, IPERF_PRINTED)
    assert recognise(path) == "iperf3-text"
    log = open_log(path)
    assert log.series["bits_per_second"].values.tolist() == [956_000_000, 957_000_000]
    assert log.series["packets"].keys.tolist() == [1000, 2000]
    assert log.facts["received"]["lost_percent"] == pytest.approx(61.126, abs=1e-3)
    assert (log.facts["sent"]["packets"], log.facts["received"]["jitter_ms"]) == (165_113, 0.013)
    assert not log.damage


def test_a_row_of_iperf3_that_is_cut_off_is_damage(tmp_path: Path) -> None:
    cut = IPERF_PRINTED.replace("  82572", "").replace("957 Mbits/sec\n", "957 Mb\n", 1)
    log = open_log(saved(tmp_path, cut))
    assert (log.damage.dropped, len(log.series["bits_per_second"].values)) == (1, 1)
    all_lost = IPERF_PRINTED.replace("100892/165056 (61%)", "165056/165056 (1e+02%)")
    assert open_log(saved(tmp_path, all_lost)).facts["received"]["lost_percent"] == 100


def test_latencies_dat_by_priority(tmp_path: Path) -> None:
    log = sample_app.read_latencies(saved(tmp_path, LATENCIES + "oops\n"))
    assert log.series["inter-packet latency priority 6"].values.tolist() == [2000013, 1999987]
    assert log.damage.flaws[0].endswith("line 4: not a priority and a number")


def test_isochron_gives_packets_with_the_cycle_before_the_shift(tmp_path: Path) -> None:
    source = IsochronSource(saved(tmp_path, ISOCHRON + "3 4\n"))
    chunk = joined(list(source.chunks()))
    assert (chunk.columns["rx_hardware"] - chunk.columns["interval_start"]).tolist() == [1_253_188, 1_253_191]
    assert (chunk.columns["tx_program"] - chunk.columns["interval_start"]).tolist() == [3_119, 3_119]
    assert "line 4" in source.damage.flaws[0]
    with pytest.raises(ConfigError, match="q and S"):
        IsochronSource(source.path, "SHR")


@pytest.mark.parametrize("stream", [False, True])
def test_iperf3_documents_and_event_streams(tmp_path: Path, *, stream: bool) -> None:
    events = [("start", IPERF["start"]), ("interval", IPERF["intervals"][0]), ("end", IPERF["end"])]
    text = "\n".join(json.dumps({"event": name, "data": data}, separators=(",", ":")) for name, data in events)
    log = iperf3.read(saved(tmp_path, text if stream else json.dumps(IPERF)))
    assert log.facts["received"]["bits_per_second"] == 371e6
    assert log.facts["sent"]["lost_packets"] == 50368
    assert log.series["bits_per_second"].values.tolist() == [956_000_000]
    assert not log.damage


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PTP, "ptp-log"),
        (SAMPLE_LOG, "sample-app-log"),
        (LATENCIES, "latencies"),
        (ISOCHRON, "isochron"),
        (json.dumps(IPERF), "iperf3"),
        ('{"type":"rx-packet"', "netlatency"),
    ],
)
def test_every_format_is_recognised_by_its_content(tmp_path: Path, text: str, name: str) -> None:
    assert recognise(saved(tmp_path, text)) == name


def test_what_is_not_recognised_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not recognised; known are"):
        recognise(saved(tmp_path, "hello\n"))
    with pytest.raises(ConfigError, match="is a folder"):
        recognise(tmp_path)
    with pytest.raises(ConfigError, match="holds no packets"):
        open_capture(saved(tmp_path, PTP))
    with pytest.raises(ConfigError, match="holds packets"):
        open_log(saved(tmp_path, ISOCHRON))


def read_all(path: Path) -> int:
    kind = recognise(path)
    if kind in ("isochron", "netlatency", "pcap"):
        return sum(map(len, open_capture(path).chunks()))
    log: Log = open_log(path)
    return sum(len(series.values) for series in log.series.values())


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_never_stops_a_reader(tmp_path: Path, data: st.DataObject) -> None:
    samples = [PTP, SAMPLE_LOG, LATENCIES, ISOCHRON, IPERF_TEXT]
    whole = bytearray(data.draw(st.sampled_from(samples)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(whole)))
        whole[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    path = tmp_path / "log"
    path.write_bytes(whole)
    try:
        found = read_all(path)
    except ConfigError:
        return
    assert found <= 40

"""Measurements on the virtual lab: the three cases, what they must show, and how they end when they are cut short."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import tsnlab
from tsnlab.analysis.indicators import indicators
from tsnlab.errors import MeasurementError, SyncError, VerdictError
from tsnlab.formats import parquet
from tsnlab.packets import info

pytestmark = pytest.mark.lab


def measured(lab, case):
    tsnlab.links.up(lab)
    tsnlab.links.vlan(lab, case)
    tsnlab.links.channels(lab, case)
    tsnlab.qdisc.apply(lab, case)
    tsnlab.switch.configure(lab, case)
    sync = tsnlab.ptp.launch(lab).wait_locked()
    return tsnlab.capture.record(lab, case, sync)


def test_case_1_shows_no_control_at_all(lab, short):
    frame = measured(lab, short("case1", packets=5000))
    numbers = indicators(frame)
    assert info(frame).received == 5000
    assert numbers.rt_app_latency_us.min >= 28
    assert numbers.rt_app_latency_us.max <= 1260
    assert numbers.scheduled_times_us.spread > 1000


def test_case_2_puts_every_packet_where_it_belongs(lab, short):
    frame = measured(lab, short("case2", packets=1000))
    numbers = indicators(frame)
    assert (info(frame).sent, info(frame).received) == (1000, 1000)
    assert numbers.scheduled_times_us.spread <= 1
    # launch time 1250 us, less a delta of 2 us, two cables of 1 us, and twice the frame: 108 bytes and 24 of preamble,
    # FCS and gap, at 8 ns a byte
    expected_us = 1250 - 2 + 2 * 1 + 2 * (108 + 24) * 0.008
    assert numbers.scheduled_times_us.mean == pytest.approx(expected_us, abs=0.1)


def test_case_3_keeps_the_stream_untouched_under_load(lab, short):
    frame = measured(lab, short("case3", packets=1000))
    load = info(frame).load
    assert load["offered_bps"] >= 950e6
    assert load["received_bps"] >= 950e6
    assert info(frame).received == 1000
    assert indicators(frame).scheduled_times_us.spread <= 1


def test_without_qbv_the_stream_waits_for_full_frames_and_the_verdict_says_so(lab, short):
    case = short("case3", packets=500, switch_qbv=False)
    frame = measured(lab, case)
    assert indicators(frame).scheduled_times_us.spread >= 10
    with pytest.raises(VerdictError, match=r"(?s)spread.*best-effort frames"):
        tsnlab.verdict.check(frame, case)


def test_load_beyond_the_lines_rate_does_not_pass_the_gates_either(lab, short):
    frame = measured(lab, short("case3", packets=300, load_mbps=1200.0))
    assert info(frame).load["received_bps"] < info(frame).load["offered_bps"]
    assert indicators(frame).scheduled_times_us.spread <= 1


def test_load_to_the_other_node_spares_the_streams_port(lab, short):
    frame = measured(lab, short("case3", packets=300, switch_qbv=False, load_mbps=200.0, load_to="load_sink"))
    assert info(frame).load["frames_received"] == info(frame).load["frames_sent"]
    assert indicators(frame).scheduled_times_us.spread <= 1


def test_two_runs_of_the_same_parameters_are_identical(linux, tmp_path, short):
    frames = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with tsnlab.open_lab("virtual", tmp_path / name) as lab:
            frames.append(measured(lab, short("case3", packets=200)))
    assert frames[0].equals(frames[1])


def test_the_warm_up_is_sent_and_not_in_the_table(lab, short):
    case = short("case1", packets=50)
    frame = measured(lab, case.model_copy(update={"stream": case.stream.model_copy(update={"warm_up": 7})}))
    assert list(frame["seq"]) == list(range(8, 58))
    about = info(frame)
    assert (about.warm_up, about.sent, about.received, about.lost) == (7, 50, 50, 0)


def test_every_packet_that_the_qdisc_drops_is_counted_with_its_reason(lab, short):
    # a launch time 1 us after the start of a cycle has passed before the talker is awake
    case = short("case2", packets=100)
    late = case.stream.model_copy(update={"window": (200_000, 300_000), "offset_in_window": 1_000, "seed": 5})
    latency = late.wakeup_latency.model_copy(update={"minimum": 150_000, "median": 220_000, "sigma": 0.1})
    frame = measured(lab, case.model_copy(update={"stream": late.model_copy(update={"wakeup_latency": latency})}))
    about = info(frame)
    assert about.lost > 0
    assert about.late_total == about.lost + about.warm_up  # every one of them is late
    assert set(about.late) <= {"invalid launch time", "missed launch time"}


def test_without_synchronised_clocks_no_number_may_be_reported(lab, short):
    case = short("case1", packets=50)
    tsnlab.links.vlan(lab, case)
    tsnlab.switch.configure(lab, case)
    frame = tsnlab.capture.record(lab, case)
    with pytest.raises(SyncError, match="ptp4l was not running"):
        tsnlab.verdict.check(frame, case)


def test_a_ptp4l_that_dies_during_the_measurement_spoils_it(lab, short):
    case = short("case1", packets=200)
    tsnlab.links.vlan(lab, case)
    tsnlab.switch.configure(lab, case)
    sync = tsnlab.ptp.launch(lab).wait_locked()
    sync.clocks[0].process.signal(signal.SIGKILL)
    frame = tsnlab.capture.record(lab, case, sync)
    assert info(frame).sync["ok"] is False
    assert "ptp4l on node1 was ended by signal 9" in info(frame).sync["why"]


def test_a_kernel_killed_in_the_middle_leaves_the_packets_so_far(lab, short):
    case = short("case1", packets=100_000)
    tsnlab.links.vlan(lab, case)
    tsnlab.switch.configure(lab, case)
    pid = lab.machine._process.pid
    killer = threading.Timer(2.0, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(MeasurementError, match=r"cut short after \d+ of 100000 packets"):
        tsnlab.capture.record(lab, case)
    kept = parquet.read(lab.folder / "packets.parquet")
    assert info(kept).complete is False
    assert info(kept).received > 0


def test_an_interrupted_measurement_keeps_its_packets_and_leaves_nothing_behind(linux, tmp_path, living, wait_until):
    script = f"""
        from pathlib import Path
        import tsnlab
        lab = tsnlab.open_lab("virtual", Path({str(tmp_path)!r}))
        case = tsnlab.load_case("case1", packets=1000000)
        tsnlab.links.vlan(lab, case)
        tsnlab.switch.configure(lab, case)
        print(lab.machine._process.pid, flush=True)
        tsnlab.capture.record(lab, case)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    group = int(child.stdout.readline())
    time.sleep(2)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert "cut short" in errors
    assert info(parquet.read(tmp_path / "packets.parquet")).complete is False
    wait_until(lambda: living(group) == [])


def test_a_controller_killed_in_the_middle_leaves_what_the_nodes_had_said(linux, tmp_path):
    script = f"""
        from pathlib import Path
        import tsnlab
        lab = tsnlab.open_lab("virtual", Path({str(tmp_path)!r}))
        case = tsnlab.load_case("case1", packets=1000000)
        tsnlab.links.vlan(lab, case)
        tsnlab.switch.configure(lab, case)
        print("ready", flush=True)
        tsnlab.capture.record(lab, case)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    child.stdout.readline()
    time.sleep(2)
    child.kill()
    child.communicate()
    said = [json.loads(line) for line in (tmp_path / "capture.jsonl").read_text().splitlines()]
    assert sum(len(record["said"].get("packets", [])) for record in said if record["from"] == "listener") > 100


@pytest.mark.debian
def test_the_same_lab_runs_on_debians_kernel_by_the_wall_clock(debian_linux, tmp_path):
    with tsnlab.open_lab("virtual-debian", tmp_path) as lab:
        case = tsnlab.load_case("case1", lab, packets=300)
        frame = measured(lab, case)
        assert "wall clock of a user-mode kernel" in info(frame).badges
        assert "injected wake-up latency" not in info(frame).badges
        assert (info(frame).complete, info(frame).sent) == (True, 300)
        assert info(frame).received >= 297


@pytest.mark.debian
def test_on_debians_kernel_every_packet_of_case_2_is_accounted_for(debian_linux, tmp_path):
    # how many make it depends on what else the machine is doing; what became of each does not
    with tsnlab.open_lab("virtual-debian", tmp_path) as lab:
        frame = measured(lab, tsnlab.load_case("case2", lab, packets=100, offset_us=90, etf_delta_us=300.0))
        about = info(frame)
        assert about.complete
        assert about.sent == 100
        assert about.received + about.late_total >= 100

"""The programs that run on the nodes: netlatency's wire format, sequence accounting, injected latency."""

import importlib
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab import node
from tsnlab.case import load_case

FOLDER = str(Path(node.__file__).parent)
BASE = 1_588_055_400 * 10**9


@pytest.fixture(scope="module", autouse=True)
def _beside_the_programs():
    sys.path.insert(0, FOLDER)
    yield
    sys.path.remove(FOLDER)


@pytest.fixture(scope="module")
def talker(_beside_the_programs):
    return importlib.import_module("talker")


@pytest.fixture(scope="module")
def listener(_beside_the_programs):
    return importlib.import_module("listener")


@pytest.fixture
def frame(talker):
    from argparse import Namespace

    import wire

    options = Namespace(
        length=wire.FRAME_LENGTH,
        destination="02:00:00:00:00:02",
        source="02:00:00:00:00:01",
        stream=7,
        cycle=2_000_000,
        offset=1_250_000,
    )
    return talker.Frame(options)


def test_a_frame_has_netlatencys_layout(frame):
    frame.begin(seq=9, start=1_588_055_400_002_000_000, wakeup=1_588_055_400_002_003_119, last=True)
    program = frame.finish()
    data = bytes(frame.data)
    assert data[:14] == bytes.fromhex("0200000000020200000000010808")
    # struct of netlatency's data.h: version, stream, seq, interval us, offset us, flags, then timespecs
    assert struct.unpack_from("=BBIHHI", data, 14) == (1, 7, 9, 2000, 1250, 1)
    stamps = struct.unpack_from("=qqqqqq", data, 28)
    assert stamps[:4] == (1_588_055_400, 2_000_000, 1_588_055_400, 2_003_119)
    assert stamps[4] * 10**9 + stamps[5] == program
    assert len(data) == 108


def test_what_the_talker_writes_the_listener_reads(frame, listener):
    start, wakeup = 1_588_055_400_002_000_000, 1_588_055_400_002_003_119
    frame.begin(seq=9, start=start, wakeup=wakeup, last=False)
    program = frame.finish()
    kernel, hardware = (1_588_055_401, 5), (1_588_055_402, 6)
    stamps = struct.pack("=qqqqqq", *kernel, 0, 0, *hardware)
    sent, flags = listener.netlatency(bytes(frame.data))
    row = (*sent, *listener.arrival([(1, 37, stamps)], 37 * 10**9), 77)
    assert flags == 0
    assert row == (7, 9, start, wakeup, program, 1_588_055_402_000_000_006, 1_588_055_438_000_000_005, 77)


def test_a_frame_of_something_else_is_passed_over(listener):
    assert listener.netlatency(b"\0" * 60) is None
    assert listener.netlatency(b"\0" * 122) is None


def test_gaps_duplicates_and_reordering_are_told_apart(listener):
    order = listener.Order()
    for seq in (1, 2, 5, 3, 3, 6, 8):
        order.take(0, seq)
    assert (order.gaps, order.reordered, order.duplicated) == (2, 1, 1)


def test_streams_have_sequence_numbers_of_their_own(listener):
    order = listener.Order()
    for stream in (0, 1):
        order.take(stream, 1)
    assert (order.gaps, order.reordered, order.duplicated) == (0, 0, 0)


@given(st.integers(0, 2 * 10**18), st.integers(1, 10**9), st.integers(0, 2 * 10**18))
def test_the_first_cycle_is_whole_cycles_from_the_reference_and_not_too_early(talker, base, cycle, not_before):
    start = talker.first_cycle(base, cycle, not_before)
    assert (start - base) % cycle == 0
    assert start >= not_before
    assert start - cycle < not_before or start == base


@pytest.mark.parametrize("name", ["case1", "case2", "case3"])
def test_injected_latencies_keep_to_the_extremes_the_guide_printed(talker, name):
    case = load_case(name)
    shape = case.stream.wakeup_latency
    draws = talker.WakeupLatency([shape.minimum, shape.median, shape.sigma, shape.maximum], case.stream.seed)
    drawn = [draws.draw() for _ in range(5000)]
    low, high = (value * 1000 for value in case.guide.rt_app_latency_us)
    assert low <= min(drawn)
    assert max(drawn) <= high


def test_the_same_seed_draws_the_same_latencies(talker):
    first, second, other = (talker.WakeupLatency([0, 1000, 1.0, 10**6], seed) for seed in (1, 1, 2))
    drawn = [first.draw() for _ in range(10)]
    assert drawn == [second.draw() for _ in range(10)]
    assert drawn != [other.draw() for _ in range(10)]


def test_case_1_draws_reach_as_far_as_the_guides(talker):
    case = load_case("case1")
    shape = case.stream.wakeup_latency
    draws = talker.WakeupLatency([shape.minimum, shape.median, shape.sigma, shape.maximum], case.stream.seed)
    assert max(draws.draw() for _ in range(5000)) > 1_000_000


def _sample_app(sent_ns: int, *, kind: int = 0x16, port: int = 4800, protocol: int = 17) -> bytes:
    ip = bytes([0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 168, 1, 1, 192, 168, 1, 2])
    udp = struct.pack("!HHHH", 4800, port, 24, 0)
    return bytes(12) + b"\x08\x00" + ip + udp + struct.pack("<IIQ", 7, kind, sent_ns) + bytes(2)


def test_a_packet_of_sample_app_belongs_to_the_cycle_that_had_begun_when_it_was_sent(listener):
    sent = BASE + 3 * 2_000_000 + 3_200
    read = listener.SampleApp(BASE, 2_000_000).decode
    assert read(_sample_app(sent)) == ((0, 7, BASE + 6_000_000, 0, sent), 0)


@pytest.mark.parametrize("other", [{"kind": 0x26}, {"port": 53}, {"protocol": 6}])
def test_what_is_no_packet_of_sample_app_is_passed_over(listener, other):
    assert listener.SampleApp(BASE, 2_000_000).decode(_sample_app(BASE, **other)) is None

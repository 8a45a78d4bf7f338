"""The logs of every linuxptp: on standard output and in the journal, from version 1.8 to after 4.4."""

import pytest

from tsnlab.ptp.log import Message, Offset, PortState, parse, tables

RMS = "rms   50 max   82 freq -36271 +/-  64 delay   -14 +/-   0"


@pytest.mark.parametrize(
    "line",
    [
        f"ptp4l[5374022.736]: {RMS}",  # -m
        f"Nov 25 04:00:00 node2 ptp4l: [5374022.736] {RMS}",  # syslog
        f"Nov 25 04:00:00 node2 ptp4l[812]: [5374022.736] {RMS}",  # the journal
        f"2026-11-25T04:00:00+0000 node2 ptp4l[812]: [5374022.736] {RMS}",  # the journal, short-iso
        f"ptp4l[5374022.736]: [ptp4l.0.config:6] {RMS}",  # message_tag of version 4's units
        f"ptp4l[5374022.736]: node2 {RMS}",  # message_tag of one's own
    ],
)
def test_the_prefix_may_be_any_of_those_there_are(line):
    assert parse(line) == Offset(5374022.736, 82, -14)
    found = parse(line)
    assert (found.rms_ns, found.frequency_ppb, found.frequency_spread_ppb, found.delay_spread_ns) == (50, -36271, 64, 0)
    assert found.clock == ""


@pytest.mark.parametrize(
    ("line", "worst", "delay", "servo", "clock"),
    [
        # ptp4l with one sync message a summary interval, and before a path delay is known
        ("ptp4l[1.000]: master offset         -3 s2 freq   +1234 path delay       998", 3, 998, 2, ""),
        ("ptp4l[1.000]: master offset 1000324790 s0 freq      +0 path delay       498", 1_000_324_790, 498, 0, ""),
        ("ptp4l[1.000]: rms 1234 max 4321 freq     +0 +/-   0", 4321, None, None, ""),
        # phc2sys: 1.8 does not name the clock; later it does, whatever the source is
        ("phc2sys[1.000]: phc offset        68 s2 freq     +64 delay   6640", 68, 6640, 2, ""),
        (
            "phc2sys[1.000]: CLOCK_REALTIME phc offset   -372832 s1 freq      -4 delay   6673",
            372_832,
            6673,
            1,
            "CLOCK_REALTIME",
        ),
        ("phc2sys[1.000]: /dev/ptp1 sys offset        10 s3 freq      +5 delay    640", 10, 640, 3, "/dev/ptp1"),
        ("phc2sys[1.000]: eth1 sys offset        10 s2 freq      +5 delay    640", 10, 640, 2, "eth1"),
        ("phc2sys[1.000]: CLOCK_REALTIME pps offset     3 s2 freq      +5", 3, None, 2, "CLOCK_REALTIME"),
        # with -u
        (
            "phc2sys[1.000]: CLOCK_REALTIME rms   12 max   40 freq    +64 +/-   3 delay  6640 +/-  20",
            40,
            6640,
            None,
            "CLOCK_REALTIME",
        ),
    ],
)
def test_an_offset_is_understood(line, worst, delay, servo, clock):
    found = parse(line)
    assert (found.worst_ns, found.delay_ns, found.servo, found.clock) == (worst, delay, servo, clock)


@pytest.mark.parametrize(
    ("text", "port", "interface", "after", "fault"),
    [
        ("port 1: LISTENING to UNCALIBRATED on RS_SLAVE", 1, "", "UNCALIBRATED", ""),
        ("port 1 (eth1): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED", 1, "eth1", "SLAVE", ""),
        ("port 0 (/var/run/ptp4l): INITIALIZING to LISTENING on INIT_COMPLETE", 0, "/var/run/ptp4l", "LISTENING", ""),
        ("port 2: MASTER to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)", 2, "", "FAULTY", "FT_UNSPECIFIED"),
        ("port 1 (eth1): SLAVE to FAULTY on FAULT_DETECTED (FT_SWITCH_PHC)", 1, "eth1", "FAULTY", "FT_SWITCH_PHC"),
        ("port 1: LISTENING to GRAND_MASTER on RS_GRAND_MASTER", 1, "", "GRAND_MASTER", ""),
    ],
)
def test_a_change_of_state_is_understood(text, port, interface, after, fault):
    found = parse(f"ptp4l[1.000]: {text}")
    assert isinstance(found, PortState)
    assert (found.port, found.interface, found.after, found.fault) == (port, interface, after, fault)


@pytest.mark.parametrize(
    "text",
    [
        "port 1: new foreign master 001395.fffe.aabbcc-1",
        "selected best master clock 001395.fffe.aabbcc",
        "port 1: assuming the grand master role",
        "timed out while polling for tx timestamp",
        "clockcheck: clock jumped forward or running faster than expected!",
        "port 1 (eth1): link down",
        "Waiting for ptp4l...",
    ],
)
def test_any_other_line_is_a_message(text):
    assert parse(f"ptp4l[1.000]: {text}") == Message(1.0, text)


def test_a_whole_log_is_three_tables():
    log = f"""something else
ptp4l[1.000]: port 1: INITIALIZING to LISTENING on INIT_COMPLETE
ptp4l[2.000]: selected best master clock 001395.fffe.aabbcc
ptp4l[3.000]: {RMS}
ptp4l[4.000]: {RMS}
"""
    found = tables(log.splitlines(keepends=True))
    assert list(found["offsets"]["monotonic_s"]) == [3.0, 4.0]
    assert list(found["offsets"]["rms_ns"]) == [50, 50]
    assert list(found["states"]["after"]) == ["LISTENING"]
    assert list(found["messages"]["text"]) == ["selected best master clock 001395.fffe.aabbcc"]
    assert tables([])["offsets"].empty

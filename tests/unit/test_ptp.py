"""ptp4l's configuration is the guide's, and its log is understood line by line."""

import pytest

from tsnlab.ptp import config
from tsnlab.ptp.log import Message, Offset, PortState, parse


@pytest.mark.parametrize(
    ("line", "value"),
    [
        # linuxptp 3.1.1 in the virtual lab
        ("ptp4l[9.162]: rms    0 max   -0 freq     +0 +/-   0 delay     0 +/-   0", Offset(9.162, 0, 0)),
        (
            "ptp4l[0.162]: port 3: INITIALIZING to LISTENING on INIT_COMPLETE",
            PortState(0.162, 3, "INITIALIZING", "LISTENING", "INIT_COMPLETE"),
        ),
        (
            "ptp4l[1.162]: port 1: LISTENING to FAULTY on FAULT_DETECTED (FT_UNSPECIFIED)",
            PortState(1.162, 1, "LISTENING", "FAULTY", "FAULT_DETECTED"),
        ),
        ("ptp4l[1.162]: port 1: unexpected socket error", Message(1.162, "port 1: unexpected socket error")),
        # linuxptp on hardware, as Avnu's documentation of time synchronisation prints it
        (
            "ptp4l[5374018.735]: rms  787 max 1208 freq -38601 +/- 1071 delay  -14 +/-   0",
            Offset(5374018.735, 1208, -14),
        ),
        (
            "phc2sys[5374168.545]: CLOCK_REALTIME phc offset   -372582 s0 freq    +246 delay   6649",
            Offset(5374168.545, 372582, 6649),
        ),
        # version 4 names the interface, syslog puts its own prefix before
        (
            "ptp4l[1.000]: port 1 (eth1): UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED",
            PortState(1.0, 1, "UNCALIBRATED", "SLAVE", "MASTER_CLOCK_SELECTED"),
        ),
        ("Nov 1 00:00:00 node2 ptp4l: [12.500] master offset  -23 s2 freq +100 path delay 500", Offset(12.5, 23, 500)),
    ],
)
def test_a_line_of_the_log_is_a_value(line, value):
    assert parse(line) == value


def test_a_line_of_something_else_is_none():
    assert parse("Segmentation fault") is None


def test_the_configuration_is_the_guides():
    text = config.text(["CE01", "CE02"], grandmaster=True, one_kernel=False)
    options = dict(line.split() for line in text.splitlines() if line and not line.startswith("["))
    assert options["gmCapable"] == "1"
    assert options["follow_up_info"] == "1"
    assert options["neighborPropDelayThresh"] == "800"
    assert options["ptp_dst_mac"] == "01:1B:19:00:00:00"
    assert text.count("transportSpecific 0x1") == 2
    assert "time_stamping" not in options


def test_in_one_kernel_the_shared_clock_is_watched_and_not_steered():
    text = config.text(["eth1"], grandmaster=False, one_kernel=True)
    assert "max_frequency           1\n" in text
    assert "time_stamping           software" in text

"""ptp4l's configuration is the guide's, and its log is understood line by line."""

import shutil
import subprocess

import pytest

from tests.drawings import svg
from tsnlab.errors import ConfigError
from tsnlab.ptp import chart, config, pmc
from tsnlab.ptp.clock import Clock
from tsnlab.ptp.log import Message, Offset, PortState, parse
from tsnlab.ptp.option_table import OPTIONS, SINCE_4
from tsnlab.ptp.options import named_for
from tsnlab.ptp.phc2sys import Phc2sys
from tsnlab.ptp.system import Reading


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
    text = config.text(["CE01", "CE02"], config.options(grandmaster=True))
    options = dict(line.split() for line in text.splitlines() if line and not line.startswith("["))
    assert options["gmCapable"] == "1"
    assert options["follow_up_info"] == "1"
    assert options["neighborPropDelayThresh"] == "800"
    assert options["ptp_dst_mac"] == "01:1B:19:00:00:00"
    assert text.count("transportSpecific 0x1") == 2
    assert "time_stamping" not in options


def test_in_one_kernel_the_shared_clock_is_watched_and_not_steered():
    settings = config.options(grandmaster=False, timestamping="software", shared_clock=True)
    text = config.text(["eth1"], settings)
    assert "max_frequency           1\n" in text
    assert "time_stamping           software" in text


# --- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("logSyncIntervall", "-3", "unknown option"),
        ("logsyncinterval", "-3", "did you mean logSyncInterval"),
        ("priority1", "256", "not within 0 to 255"),
        ("network_transport", "L3", "none of L2, UDPv4, UDPv6"),
        ("tx_timestamp_timeout", "ten", "not a whole number"),
    ],
)
def test_an_option_that_ptp4l_would_refuse_is_refused(name, value, message):
    with pytest.raises(ConfigError, match=message):
        config.options(grandmaster=True, **{name: value})


def test_two_ways_to_say_that_a_clock_only_follows_do_not_mix():
    with pytest.raises(ConfigError, match="cannot be mixed with gmCapable 0"):
        config.options(grandmaster=False, clientOnly="1")


def test_gptp_is_linuxptps_profile():
    options = config.options(grandmaster=True, gptp=True)
    assert (options["priority1"], options["logAnnounceInterval"], options["follow_up_info"]) == ("248", "0", "1")
    assert options["ptp_dst_mac"] == "01:80:C2:00:00:0E"


@pytest.mark.skipif(not shutil.which("ptp4l"), reason="needs ptp4l")
def test_every_known_option_is_known_to_ptp4l(tmp_path):
    version = subprocess.run(["ptp4l", "-v"], capture_output=True, text=True, check=True).stdout
    newer = SINCE_4 if version.startswith(("1.", "2.", "3.")) else frozenset()
    for name, option in ((name, option) for name, option in OPTIONS.items() if name not in newer):
        value = option.words[0] if option.words else "01:1B:19:00:00:00" if name.endswith("_mac") else "/x"
        value = value if option.words or option.text else f"{max(option.low, min(option.high, 1)):g}"
        (line,) = named_for(version, {name: value}).items()
        path = tmp_path / "ptp4l.cfg"
        path.write_text(f"[global]\n{line[0]} {line[1]}\n")
        run = subprocess.run(["ptp4l", "-f", path, "-q"], capture_output=True, text=True, check=False)
        assert "unknown option" not in run.stderr, name
        assert "range" not in run.stderr, (name, run.stderr)


# --- what the programs say --------------------------------------------------------------------------


def test_a_line_of_phc2sys_names_clock_servo_and_frequency():
    offset = parse("phc2sys[12.5]: /dev/ptp0 sys offset        -1 s2 freq      -2 delay     64")
    assert (offset.clock, offset.servo, offset.frequency_ppb) == ("/dev/ptp0", 2, -2)
    # 1.8 does not name the clock
    assert parse("phc2sys[12.5]: phc offset 7 s1 freq +5 delay 64").clock == ""


def test_phc2sys_is_started_as_in_the_guide():
    value = Phc2sys("/dev/ptp1", "CLOCK_REALTIME")
    assert " ".join(value.argv()) == "phc2sys -c /dev/ptp1 -s CLOCK_REALTIME -m -q -w -O 0"


def test_an_answer_of_pmc_is_a_value():
    text = (
        "sending: GET TIME_STATUS_NP\n"
        "\t020000.fffe.000001-0 seq 0 RESPONSE MANAGEMENT TIME_STATUS_NP \n"
        "\t\tmaster_offset              -64\n"
        "\t\tlastGmPhaseChange          0x0000'0000000000000000.0000\n"
        "\t\tgmIdentity                 020000.fffe.000101\n"
    )
    (answer,) = pmc.parse(text)
    assert (answer.clock, answer.port, answer.dataset) == ("020000.fffe.000001", 0, "TIME_STATUS_NP")
    assert answer.integer("master_offset") == -64
    assert answer.fields["gmIdentity"] == "020000.fffe.000101"


def test_no_answer_of_pmc_is_none():
    assert pmc.parse("sending: GET TIME_STATUS_NP\n") == []


def test_a_jump_of_a_clock_is_what_did_not_pass():
    before, after = Reading(("a",), 1_000, 500, 0), Reading(("a",), 3_600, 3_000, 0)
    assert after.jump_since(before) == 100


def test_the_offsets_of_a_clock_are_drawn_with_their_threshold():
    clock = Clock("node1", 1_000)
    assert chart.svg(clock) == ""
    for worst in (64, 32, 5_000):
        clock.offsets.append((0, Offset(0.0, worst, None)))
    assert "offsets of node1, 32 to 5000 ns; 1000 ns are allowed" in chart.svg(clock)
    assert "stroke-dasharray" in svg(chart.svg(clock))


def test_a_span_without_an_offset_has_the_last_one_before_it():
    clock = Clock("node1", 1_000)
    clock.offsets = [(10, Offset(0.0, 1, None)), (20, Offset(0.0, 2, None)), (30, Offset(0.0, 3, None))]
    assert [offset.worst_ns for offset in clock.between(21, 29)] == [2]
    assert [offset.worst_ns for offset in clock.between(15, 30)] == [1, 2, 3]
    assert clock.between(0, 5) == []

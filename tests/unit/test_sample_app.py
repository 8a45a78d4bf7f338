"""The window file and the options of Intel's sample-app-taprio, as its source and its own example have them."""

import pytest

from tsnlab.case import load_case
from tsnlab.errors import ConfigError
from tsnlab.tools import sample_app

BASE = 1_588_055_400 * 10**9


def _options(case):
    words = sample_app.options(case, "eth1", "192.168.1.2", BASE)
    return dict(zip(words[1:-1:2], words[2::2], strict=False)), words


def test_the_window_of_case_2_is_that_of_the_guide():
    lines = sample_app.window_file(load_case("case2")).splitlines()
    assert lines[:3] == ["cycle_time 2000000", "priority 6", "number_of_windows 1"]
    assert lines[3:] == ["window_1_offset 1200000", "window_1_duration 100000", "window_1_packets 1"]


def test_case_2_wakes_up_with_the_cycle_and_launches_in_its_window():
    asked, words = _options(load_case("case2"))
    assert (asked["-e"], asked["-z"], asked["-b"]) == ("50000", "1250000", str(BASE))
    assert "-S" not in words
    assert "-E" not in words


def test_without_launch_times_the_window_is_no_empty_one_and_the_program_wakes_up_with_the_cycle():
    case = load_case("case1")
    asked, words = _options(case)
    window = dict(line.split() for line in sample_app.window_file(case).splitlines())
    assert int(window["window_1_offset"]) + int(asked["-e"]) == int(asked["-z"]) > 0
    assert int(window["window_1_duration"]) > 0
    assert words[-1] == "-S"


def test_a_cycle_that_it_does_not_take_is_refused():
    with pytest.raises(ConfigError, match="1000000 to 500000000 ns"):
        sample_app.window_file(load_case("case1", cycle_us=500))

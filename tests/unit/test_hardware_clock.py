"""The clock of a NIC: integers all the way, so that it can be read at any time and found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab.virtual.device.clock import HardwareClock

ERRORS = st.integers(-1_000_000, 1_000_000)
TIMES = st.integers(0, 100_000_000_000_000)


class Time:
    """The lab's time, set by the test."""

    def __init__(self):
        self.ns = 0

    def __call__(self):
        return self.ns


def make(error_ppb=0):
    time = Time()
    return time, HardwareClock(time, 8, error_ppb)


def test_a_perfect_clock_goes_on_in_its_own_steps():
    _, clock = make()
    assert [clock.read(t) for t in (0, 7, 8, 15, 16, 1_000_000_007)] == [0, 0, 8, 8, 16, 1_000_000_000]


@pytest.mark.parametrize("error_ppb", [25_000, -40_000, 1])
def test_an_oscillator_is_wrong_by_what_it_is_said_to_be(error_ppb):
    _, clock = make(error_ppb)
    second = 10**9
    assert abs(clock.read(1000 * second) - 1000 * second - 1000 * error_ppb) <= 8


def test_the_correction_of_a_driver_takes_the_error_away():
    # igb_ptp_adjfine_82580: 2**35 * ppb / 1e9, for a base period of 8 ns in units of 2**-32 ns
    time, clock = make(25_000)
    clock.adjust(-round(2**35 * 25_000 / (10**9 + 25_000)))
    time.ns = 10**12
    assert abs(clock.read() - 10**12) <= 10


def test_setting_and_stepping_keep_the_rate():
    time, clock = make()
    time.ns = 1_000
    clock.set(5_000_000_000)
    time.ns = 2_000
    clock.step(-1_000_000_000)
    time.ns = 3_000
    assert clock.read() == 4_000_002_000


def test_a_clock_whose_oscillator_changes_goes_on_from_where_it_is():
    time, clock = make()
    time.ns = 10**9
    before = clock.read()
    clock.error_ppb = 500_000
    assert clock.read() == before
    time.ns = 2 * 10**9
    assert abs(clock.read() - 2 * 10**9 - 500_000) <= 8


def test_a_clock_that_is_slowed_down_to_nothing_never_reaches_a_later_time():
    _, clock = make()
    clock.adjust(-(8 << 32))
    assert clock.time_of(100) is None
    assert clock.read(10**9) == 0


@given(ERRORS, TIMES, st.integers(0, 10**12), st.integers(-(2**30), 2**30))
def test_the_time_of_a_reading_is_the_first_nanosecond_that_shows_it(error_ppb, set_at, ahead, adjustment):
    time, clock = make(error_ppb)
    time.ns = set_at
    clock.set(7 * 10**9)
    clock.adjust(adjustment)
    wanted = clock.read() + ahead
    when = clock.time_of(wanted)
    assert when is not None
    assert clock.read(when) >= wanted
    assert when == set_at or clock.read(when - 1) < wanted


@given(ERRORS, st.lists(TIMES, min_size=2, max_size=20))
def test_time_never_runs_backwards(error_ppb, times):
    _, clock = make(error_ppb)
    readings = [clock.read(t) for t in sorted(times)]
    assert readings == sorted(readings)


def test_an_oscillator_that_is_none_is_refused():
    with pytest.raises(ValueError, match="oscillator"):
        make(600_000_000)

"""Which gate is open when: the schedule's arithmetic against a model that looks at every nanosecond."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.schedules import small, taprio

FAR = 200
instants = st.integers(-FAR, FAR)


def model(schedule, base, instant):
    """The open gates, by walking through the cycle (802.1Q: the last state holds until the cycle ends)."""
    phase = (instant - base) % schedule.cycle_ns
    for mask, interval in schedule.entries:
        if phase < interval:
            return mask
        phase -= interval
    return schedule.entries[-1].gate_mask


@given(small(), instants, instants)
def test_the_open_gates_at_an_instant(schedule, base, instant):
    assert schedule.gates_at(base, instant) == model(schedule, base, instant)


@given(small(), instants, instants, st.integers(1, 25))
@settings(max_examples=300)
def test_the_next_window_is_the_first_that_leaves_enough_time(schedule, base, instant, length):
    bit = 1 << schedule.traffic_class(0)

    def open_for(start):
        return all(model(schedule, base, start + i) & bit for i in range(length))

    starts = (start for start in range(instant, instant + 3 * schedule.cycle_ns + 1) if open_for(start))
    expected = next(starts, None)
    window = schedule.next_window(0, base, instant, length)
    if window is None:
        assert expected is None or schedule.spans(schedule.traffic_class(0)) == []
    else:
        assert max(window.start_ns, instant) == expected
        assert model(schedule, base, window.start_ns) & bit


@given(small(), st.integers(0, 40), st.integers(1, 40))
def test_a_gate_is_open_throughout_a_span(schedule, start, length):
    bit = 1 << schedule.traffic_class(1)
    expected = all(model(schedule, 0, instant) & bit for instant in range(start, start + length))
    assert schedule.is_open(1, start, start + length) == expected


@given(small(), instants, instants, instants)
def test_a_base_time_that_is_rolled_keeps_every_gate_where_it_was(schedule, base, not_before, instant):
    rolled = schedule.base_time_from(base, not_before)
    assert not_before <= rolled < not_before + schedule.cycle_ns
    assert schedule.gates_at(rolled, instant) == schedule.gates_at(base, instant)


def test_a_window_over_the_end_of_the_cycle_is_one_window():
    schedule = taprio([(1, 10), (2, 10), (1, 10)], classes=2)
    assert schedule.next_window(0, 0, 25) == (20, 40)
    assert schedule.next_window(0, 0, 25, length_ns=16) == (50, 70)

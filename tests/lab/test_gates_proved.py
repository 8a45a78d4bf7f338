"""The gates of a real kernel do what the schedule says, to the microsecond."""

import random

import pytest

import tsnlab
from tests.unit.schedules import taprio
from tsnlab import qdisc
from tsnlab.node.wire import FRAME_LENGTH
from tsnlab.qdisc import kernel
from tsnlab.qdisc.proof import CYCLE_NS, FRAMES, PRIORITY, Behaviour, measure, outcome
from tsnlab.schedule.margin import frame_ns
from tsnlab.steps import Doing

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab():
    with tsnlab.open_lab("virtual") as lab:
        yield lab


def test_every_behaviour_is_as_derived(lab):
    proof = qdisc.prove(lab).check()
    assert len(proof.outcomes) == 9
    assert max(abs(outcome.error_ns) for outcome in proof.outcomes if outcome.error_ns is not None) < 1000


def test_the_recommended_delta_is_small_where_the_kernel_is_never_late(lab):
    assert qdisc.recommend_delta(lab, count=200).delta_ns == 1_000


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_lets_a_frame_out_where_the_arithmetic_says(lab, seed):
    draw = random.Random(seed)
    edges = sorted(draw.sample(range(20_000, CYCLE_NS - 20_000, 20_000), 5))
    intervals = [end - start for start, end in zip([0, *edges], [*edges, CYCLE_NS], strict=True)]
    masks = draw.choice([[1, 2, 1, 3, 1, 2], [2, 1, 2, 1, 3, 1], [3, 1, 2, 2, 1, 1]])
    priorities = [int(priority == PRIORITY) for priority in range(16)]
    schedule = taprio(zip(masks, intervals, strict=True), classes=2, priorities=priorities)
    sent = draw.randrange(0, CYCLE_NS, 1_000) + 500
    window = schedule.next_window(PRIORITY, 0, sent, 2 * frame_ns(FRAME_LENGTH, 1_000_000_000))
    found = outcome(lab, Behaviour(f"seed {seed}", schedule, sent, max(sent, window.start_ns)))
    assert found.holds, (schedule, found)
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"])


def test_a_base_time_that_is_rolled_leaves_every_gate_where_it_was(lab):
    """In the kernel, as in the arithmetic: the same frames, with base times in the past and ahead, far and near."""
    window = taprio(
        [(1, 430_000), (3, 170_000), (1, 400_000)], classes=2, priorities=[int(p == PRIORITY) for p in range(16)]
    )
    arrivals = []
    for base in (lab.reference_ns, 0, None):
        ahead = window.base_time_from(lab.reference_ns, lab.now_ns() + 30_000_000)
        lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)
        told = ahead if base is None else window.base_time_from(lab.reference_ns, base)
        kernel.rebuild(Doing(lab.host("node1")), "eth1", [kernel.taprio(window, told, "100")], kernel.Poke((), 0))
        rows = measure(lab, Behaviour("rolled", window, 100_000, 430_000))
        arrivals.append([row[6] - row[2] for row in rows])
    expected = 430_000 + 2 * (frame_ns(FRAME_LENGTH, 1_000_000_000) + 1_000)
    for found in arrivals:
        assert len(found) == FRAMES
        assert max(abs(arrival - expected) for arrival in found) < 1000
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"])

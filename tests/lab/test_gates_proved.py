"""The gates of a real kernel do what the schedule says, to the microsecond."""

import pytest

import tsnlab
from tsnlab import qdisc

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

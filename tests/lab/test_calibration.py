"""The path delay of the virtual lab is what follows from its links."""

import pytest

import tsnlab
from tsnlab import calibration, qdisc
from tsnlab.errors import StepError

pytestmark = pytest.mark.lab


def test_the_path_delay_is_that_of_the_links_and_a_little_of_the_kernel(lab):
    case = tsnlab.load_case("case2")
    found = calibration.path_delay(lab, case)
    assert abs(found.sender_ns) < 200
    qdisc.apply(lab, case)
    with pytest.raises(StepError, match="calibrate before a qdisc is attached"):
        calibration.path_delay(lab, case)

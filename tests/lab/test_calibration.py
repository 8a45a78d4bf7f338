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
    assert found.derived_ns == 4112
    qdisc.apply(lab, case)
    with pytest.raises(StepError, match="calibrate before a qdisc is attached"):
        calibration.path_delay(lab, case)


def test_clocks_of_the_interfaces_are_synchronised_meanwhile(linux):
    with tsnlab.open_lab("virtual-i210") as lab:
        found = calibration.path_delay(lab)
        # stamped as the frame begins: one frame and two cables
        assert found.derived_ns == 1056 + 64 + 2 * lab.spec.link_of(lab.talker).delay
        assert abs(found.sender_ns) < 200

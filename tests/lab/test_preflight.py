"""Preflight on the virtual lab."""

from tsnlab import preflight


def test_the_virtual_lab_has_all_that_is_needed(lab):
    found = preflight.check(lab)
    assert not found.failed, str(found)
    assert {finding.node for finding in found.findings} == {*lab.spec.nodes, "all"}

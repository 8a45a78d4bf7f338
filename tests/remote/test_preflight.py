"""Preflight over a real sshd."""

import time

from tsnlab import preflight


def test_five_nodes_at_the_same_time_take_less_than_ten_seconds(sshd, connect):
    nodes = {f"node{number}": (connect(sshd), ["lo"]) for number in range(1, 6)}
    started = time.monotonic()
    found = preflight.examine(nodes)
    assert time.monotonic() - started < 10
    assert {finding.node for finding in found.findings} == {*nodes, "all"}
    assert "timestamps of lo" in str(found)
    assert "<table>" in found._repr_html_()


def test_a_node_that_cannot_be_reached_is_a_finding(own_sshd, connect):
    own_sshd.stop()
    found = preflight.examine({"node1": (connect(own_sshd), [])})
    assert [finding.what for finding in found.failed] == ["connection"]
    assert "node is up" in str(found)

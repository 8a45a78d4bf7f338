"""What iperf3 says of a test that was stopped, as both sides of it print it."""

from pathlib import Path

import pytest

from tsnlab.errors import ConfigError
from tsnlab.formats import datagrams

DATA = Path(__file__).parent / "data"


def test_both_sides_of_a_stopped_test_agree():
    sent = datagrams.read((DATA / "iperf3-client-stopped.json").read_text())
    received = datagrams.read((DATA / "iperf3-server-stopped.json").read_text())
    assert (sent.frames, sent.bytes) == (2158, 2158 * (1448 + 42))
    assert (received.frames, received.bytes, received.lost) == (sent.frames, sent.bytes, 0)


def test_text_that_is_not_iperf3s_is_refused():
    with pytest.raises(ConfigError, match="not what iperf3 -J prints"):
        datagrams.read("unable to connect")


def test_a_test_that_never_began_is_an_error_in_iperf3s_own_words():
    with pytest.raises(ConfigError, match="unable to connect to server"):
        datagrams.read('{"start":{},"intervals":[],"end":{"sum":{}},"error":"unable to connect to server"}')

"""The files of the daemons that ask time servers, and what they answer, in the forms of their manuals."""

import pytest

from tsnlab import ntp_daemons
from tsnlab.errors import ConfigError
from tsnlab.lab import LABS, load_lab_file
from tsnlab.ntp_daemons import chrony_conf, chrony_reached, ntp_conf, ntp_reached, timesyncd_conf, timesyncd_reached

CHRONY = "pool 2.debian.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\nleapsectz right/UTC\nmakestep 1 3\n"
NTP = (
    "driftfile /var/lib/ntp/drift\nleapfile /usr/share/zoneinfo/leap-seconds.list\npool 0.ubuntu.pool.ntp.org iburst\n"
)


@pytest.mark.parametrize(("edit", "text"), [(chrony_conf, CHRONY), (ntp_conf, NTP)])
def test_other_servers_and_leap_seconds_are_out_and_the_rest_stays(edit, text):
    after = edit(text, ["10.0.0.1", "ntp.example.org"])
    live = [line for line in after.splitlines() if not line.startswith("#")]
    assert live[-2:] == ["server 10.0.0.1 iburst", "server ntp.example.org iburst"]
    assert not any(line.startswith(("pool", "leap", "sourcedir")) for line in live)
    assert {"makestep 1 3", "driftfile /var/lib/ntp/drift"} & set(live)
    assert edit(after, ["10.0.0.1", "ntp.example.org"]) == after


def test_a_server_that_is_there_already_stays_where_it_is():
    assert chrony_conf("server 10.0.0.1 iburst\n", ["10.0.0.1"]) == "server 10.0.0.1 iburst\n"


def test_timesyncd_forgets_the_systems_servers():
    assert "NTP=\nNTP=10.0.0.1 10.0.0.2\nFallbackNTP=\n" in timesyncd_conf("", ["10.0.0.1", "10.0.0.2"])


def test_of_chronys_sources_those_that_answered():
    said = "^,*,10.0.0.1,3,6,377,12,0.000001,0.000002,0.0003\n^,?,10.0.0.2,0,6,0,4294967295,0.0,0.0,0.0\n"
    assert chrony_reached(said) == ["10.0.0.1"]


def test_of_ntpds_peers_those_that_answered():
    said = (
        "     remote           refid      st t when poll reach   delay   offset  jitter\n"
        "==============================================================================\n"
        "*10.0.0.1        .GPS.            1 u   12   64  377    0.412   -0.022   0.010\n"
        " 10.0.0.2        .INIT.          16 u    -   64    0    0.000    0.000   0.000\n"
    )
    assert ntp_reached(said) == ["10.0.0.1"]


def test_of_timesyncds_server_whether_it_answered():
    before = "ServerName=ntp.example.org\nServerAddress=10.0.0.1\n"
    assert timesyncd_reached(before) == []
    answer = "NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2, Ignored=no, PacketCount=1, Jitter=0 }\n"
    assert timesyncd_reached(before + answer) == ["10.0.0.1"]


def test_every_daemon_is_found_by_a_service_and_a_file():
    assert all(daemon.units and daemon.files for daemon in ntp_daemons.DAEMONS)


def test_the_lab_file_says_free_or_names_servers(tmp_path):
    text = (LABS / "hardware.yaml").read_text()
    assert load_lab_file("hardware").ntp == "free"
    (tmp_path / "lab.yaml").write_text(text.replace("ntp: free", "ntp: [10.0.0.1]"))
    assert load_lab_file(tmp_path / "lab.yaml").ntp == ["10.0.0.1"]
    (tmp_path / "lab.yaml").write_text(text.replace("ntp: free", "ntp: never"))
    with pytest.raises(ConfigError, match="ntp"):
        load_lab_file(tmp_path / "lab.yaml")

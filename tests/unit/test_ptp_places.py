"""What runs where for time synchronisation, from what the interfaces can do."""

import pytest

from tsnlab.errors import ConfigError
from tsnlab.hosts.base import Result
from tsnlab.lab import load_lab_file
from tsnlab.ptp import capability, config, places
from tsnlab.ptp.unicast import UnicastTable

# ethtool 6.1: veth and netdevsim, in the virtual lab
VETH = """Time stamping parameters for eth1:
Capabilities:
\tsoftware-transmit
\tsoftware-receive
\tsoftware-system-clock
PTP Hardware Clock: none
Hardware Transmit Timestamp Modes: none
Hardware Receive Filter Modes: none
"""
NETDEVSIM = VETH.replace("\tsoftware-transmit\n", "").replace("Clock: none", "Clock: 0")
# an I210 (igb), as ethtool before and since 6.10 prints it
I210 = """Time stamping parameters for enp5s0:
Capabilities:
\thardware-transmit
\tsoftware-transmit
\thardware-receive
\tsoftware-receive
\tsoftware-system-clock
\thardware-raw-clock
PTP Hardware Clock: 1
Hardware Transmit Timestamp Modes:
\toff
\ton
Hardware Receive Filter Modes:
\tnone
\tall
"""
I210_NEW = I210.replace("PTP Hardware Clock: 1", "Hardware timestamp provider index: 1")


class Told:
    """A node that answers as it was told."""

    def __init__(self, name, kernel, stamps):
        self.name, self._kernel, self._stamps = name, kernel, stamps

    def run(self, argv, **_):
        assert argv[:2] == ["ethtool", "-T"]
        return Result(self.name, tuple(argv), 0, self._stamps(argv[2]), "", 0.0)

    def read_text(self, path):
        assert path == "/proc/sys/kernel/random/boot_id"
        return f"{self._kernel}\n"


class Lab:
    """The guide's lab, of nodes that answer as they were told."""

    def __init__(self, stamps, kernels=None, spec=None):
        self.spec = spec or load_lab_file("hardware")
        self.talker, self.listener = self.spec.roles.talker, self.spec.roles.listener
        self.switch = self.spec.roles.switch
        self._stamps, self._kernels = stamps, kernels or {}

    def host(self, node):
        return Told(node, self._kernels.get(node, node), self._stamps)


def planned(lab, **other):
    asked = {"gptp": False, "with_phc2sys": True, "options": {}, **other}
    return places.plan(lab, **asked)


@pytest.mark.parametrize(
    ("text", "hardware", "phc"),
    [(VETH, False, None), (NETDEVSIM, False, "/dev/ptp0"), (I210, True, "/dev/ptp1"), (I210_NEW, True, "/dev/ptp1")],
)
def test_what_an_interface_can_do_is_what_ethtool_says(text, hardware, phc):
    found = capability.parse("enp5s0", text)
    assert (found.hardware, found.phc) == (hardware, phc)


def test_with_hardware_timestamps_everything_is_in_the_guides_place():
    switch, talker, listener = planned(Lab(lambda _: I210))
    ports = ("CE01", "CE02", "CE03", "CE04")
    assert (switch.node, switch.interfaces, switch.grandmaster, switch.timestamping) == (
        "switch",
        ports,
        True,
        "hardware",
    )
    assert [" ".join(value.argv()) for value in switch.phc2sys] == [
        "phc2sys -c /dev/ptp1 -s CLOCK_REALTIME -m -q -w -O 0 -z /var/run/ptp4l-switch"
    ]
    assert [" ".join(value.argv()) for value in listener.phc2sys] == [
        "phc2sys -c CLOCK_REALTIME -s enp5s0 -m -q -w -O 0 -z /var/run/ptp4l-node2"
    ]
    assert talker.phc2sys[0].source == "eth1"
    assert talker.phcs == ("/dev/ptp1",)
    assert "time_stamping" not in talker.options
    assert "max_frequency" not in talker.options
    assert talker.steered


def test_a_switch_of_several_clocks_keeps_each_at_the_system_clock():
    clocks = {"CE01": "0", "CE02": "1", "CE03": "2", "CE04": "2"}
    switch, *_ = planned(Lab(lambda name: I210.replace("Clock: 1", f"Clock: {clocks.get(name, '9')}")))
    assert [value.clock for value in switch.phc2sys] == ["/dev/ptp0", "/dev/ptp1", "/dev/ptp2"]
    assert switch.options["boundary_clock_jbod"] == "1"


def test_nobody_sets_the_system_clock_that_the_time_comes_from():
    # the virtual I210s: every node on the switch's kernel
    lab = Lab(lambda _: I210, kernels=dict.fromkeys(("switch", "node1", "node2"), "one"))
    switch, talker, _ = planned(lab)
    assert [value.source for value in switch.phc2sys] == ["CLOCK_REALTIME"]
    assert (talker.timestamping, talker.phc2sys, talker.phcs) == ("hardware", (), ("/dev/ptp1",))
    assert not talker.steered


def test_without_hardware_timestamps_ptp4l_steers_the_system_clock_itself():
    _, talker, _ = planned(Lab(lambda _: VETH))
    assert (talker.timestamping, talker.phc2sys, talker.steered) == ("software", (), True)
    assert talker.options["time_stamping"] == "software"
    assert "max_frequency" not in talker.options


def test_the_lab_file_has_the_last_word_but_the_call():
    spec = load_lab_file("hardware")
    node2 = spec.nodes["node2"].model_copy(update={"timestamping": "software", "ptp4l": {"priority2": "200"}})
    spec = spec.model_copy(update={"nodes": {**spec.nodes, "node2": node2}, "ptp_profile": "gptp"})
    lab = Lab(lambda _: I210, spec=spec)
    _, talker, listener = planned(lab)
    assert (talker.timestamping, listener.timestamping) == ("hardware", "software")
    assert (talker.options["priority2"], listener.options["priority2"]) == ("248", "200")
    _, _, listener = planned(lab, options={"node2": {"priority2": "7"}})
    assert listener.options["priority2"] == "7"


def test_two_ptp4l_never_meet_at_one_socket():
    sockets = [place.options["uds_address"] for place in planned(Lab(lambda _: I210))]
    assert len(set(sockets)) == 3


# --- unicast ----------------------------------------------------------------------------------------


def test_a_unicast_table_is_a_section_of_the_file():
    table = UnicastTable(1, (("UDPv4", "192.168.1.11"), ("L2", "00:11:22:33:44:55")), 2, "192.168.4.44")
    settings = config.options(grandmaster=False, unicast_master_table="1", unicast_req_duration="60")
    text = config.text(["eth1"], settings, [table])
    section = text.split("[unicast_master_table]\n")[1].split("\n\n")[0].splitlines()
    assert [tuple(line.split()) for line in section] == [
        ("table_id", "1"),
        ("logQueryInterval", "2"),
        ("peer_address", "192.168.4.44"),
        ("UDPv4", "192.168.1.11"),
        ("L2", "00:11:22:33:44:55"),
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"number": 0, "sources": (("UDPv4", "192.168.1.11"),)}, "table_id 0"),
        ({"number": 1, "sources": ()}, "names no source"),
        ({"number": 1, "sources": (("UDPv4", "192.168.1.256"),)}, "no address of UDPv4"),
        ({"number": 1, "sources": (("L2", "00:11:22"),)}, "no MAC address"),
        ({"number": 1, "sources": (("L3", "x"),)}, "none of L2, UDPv4, UDPv6"),
        ({"number": 1, "sources": (("UDPv6", "::1"),), "log_query_interval": 200}, "logQueryInterval 200"),
    ],
)
def test_a_unicast_table_that_ptp4l_would_refuse_is_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        UnicastTable(**table)

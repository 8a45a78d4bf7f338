"""Schedules in the kernel of the virtual lab: what is accepted, what is refused, what is read back."""

import errno
import re
import time

import pytest

import tsnlab
from tests.unit.schedules import MANUAL, MANUAL_CBS, MANUAL_ETF, MANUAL_MQPRIO, generated, taprio
from tsnlab import faults, qdisc
from tsnlab.errors import CommandError, ConfigError, StepError
from tsnlab.qdisc import kernel, netlink
from tsnlab.schedule import NICS, Cbs, Mqprio, Taprio
from tsnlab.steps import Doing

pytestmark = pytest.mark.lab

NODE, INTERFACE = "node3", "enp5s0"
NOTHING = kernel.Poke((), 0)


@pytest.fixture(scope="module")
def lab():
    with tsnlab.open_lab("virtual") as lab:
        yield lab


@pytest.fixture(scope="module")
def host(lab):
    return lab.host(NODE)


@pytest.fixture
def offloading(lab):
    """An interface that runs schedules itself: netdevsim with eight queues and a clock."""
    name = "eth0"
    host = lab.host(NODE)
    host.run(["sh", "-c", "echo '7 1 8' > /sys/bus/netdevsim/new_device"])
    yield name
    host.run(["sh", "-c", "echo 7 > /sys/bus/netdevsim/del_device"])


def rebuild(host, *requests, interface=INTERFACE):
    return kernel.rebuild(Doing(host), interface, requests, NOTHING)


def test_a_thousand_schedules_are_accepted_and_read_back_equal(host):
    values = [generated(seed) for seed in range(1000)]
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, base, "100") for value, base in values])
    assert len(answers) == 1000
    for (value, base), answer in zip(values, answers, strict=True):
        assert "errno" not in answer, (value, answer)
        assert value.same_as(answer["options"], base) == []


@pytest.mark.parametrize("name", ["software", "txtime-assist"])
def test_the_schedules_of_the_manual_page_are_the_same_by_netlink_and_by_tc(host, name):
    value, base, _ = MANUAL[name]
    request = kernel.taprio(value, base, "100")
    states = []
    for said in (request, kernel.Request(request.tc)):
        top = qdisc.find(rebuild(host, said).qdiscs, "taprio")
        assert value.same_as(top["options"], base) == []
        states.append({key: top["options"][key] for key in top["options"]})
    assert states[0] == states[1]


def test_the_manual_pages_schedule_for_an_interface_that_runs_it_itself(lab, offloading):
    # the one kernel device here that runs schedules tells no speed of its link; at the 10 Mbit/s that the kernel then
    # takes, the shortest frame lasts 48 us, and the page's entries of 20 us are refused
    value, base, _ = MANUAL["full offload"]
    (host, nic) = (lab.host(NODE), NICS["netdevsim"])
    assert [problem[:31] for problem in nic.problems(value)] == [
        "schedule: entry 0 lasts 20000 n",
        "schedule: entry 1 lasts 20000 n",
        "cycle: 100 us is too short for ",
    ]
    with pytest.raises(CommandError, match="Invalid interval for schedule entry"):
        rebuild(host, kernel.taprio(value, base, "100"), interface=offloading)
    # everything else about it is taken: the same with entries 2.4 times as long, the least that a frame fits into
    longer = [entry.model_copy(update={"interval": entry.interval * 12 // 5}) for entry in value.schedule]
    value = value.model_copy(update={"schedule": longer})
    assert nic.problems(value) == []
    top = qdisc.find(rebuild(host, kernel.taprio(value, base, "100"), interface=offloading).qdiscs, "taprio")
    assert value.same_as(top["options"], base) == []


def test_classes_in_hardware_are_refused_by_us_and_by_every_interface_there_is(lab, offloading):
    value = Mqprio(map=[0, 1, *[0] * 14], queues=["1@0", "1@1"], hardware=True, mode="channel")
    for nic, interface in (("veth", INTERFACE), ("netdevsim", offloading)):
        assert "does not set up classes itself" in NICS[nic].problems_of_classes(value)[0]
        (answer,) = kernel.attempt(lab.host(NODE), interface, [netlink.mqprio(value, "100")])
        assert answer["errno"] in (errno.EINVAL, errno.EOPNOTSUPP)


@pytest.mark.parametrize("from_the_page", [False, True])
def test_mqprio_and_cbs_are_read_back_equal(host, from_the_page):
    classes = MANUAL_MQPRIO[0] if from_the_page else Mqprio(map=[0, 1, *[0] * 14], queues=["1@0", "3@1"])
    share = MANUAL_CBS[0] if from_the_page else Cbs.for_share(98_688, 1_000_000, 1542)
    parent = "100:4" if from_the_page else "100:1"
    root = kernel.Request(("root", *classes.to_tc("100")), netlink.mqprio(classes, "100"))
    below = kernel.Request((parent, *share.to_tc()), netlink.cbs(share, parent))
    states = []
    for requests in ((root, below), (kernel.Request(root.tc), kernel.Request(below.tc))):
        qdiscs = rebuild(host, *requests).qdiscs
        states.append([q["options"] for q in qdiscs if q["kind"] in ("mqprio", "cbs")])
        # and as tc tells them
        for shown in (qdiscs, kernel.show(host, INTERFACE)):
            found = Mqprio.from_tc_json(qdisc.find(shown, "mqprio")["options"])
            assert classes.differences(found) == []
            assert share.differences(Cbs.from_tc_json(qdisc.find(shown, "cbs")["options"])) == []
    assert states[0] == states[1]


def test_the_manual_pages_etf_is_read_back_equal(host):
    value, _ = MANUAL_ETF["below txtime-assist"]
    root = kernel.taprio(*MANUAL["txtime-assist"][:2], "100")
    qdiscs = rebuild(host, root, kernel.etf(value, "100:1", offload=False)).qdiscs
    assert value.same_as(qdisc.find(qdiscs, "etf", "100:1")["options"], offload=False) == []


def test_the_manual_pages_etf_is_taken_by_an_interface_that_launches_frames(host):
    """As the page has it, with offload: by the virtual I210, below mqprio and below txtime-assist."""
    root = kernel.taprio(*MANUAL["software"][:2], "100")
    with pytest.raises(CommandError, match="does not support ETF offload"):
        rebuild(host, root, kernel.etf(MANUAL_ETF["below mqprio"][0], "100:1", offload=True))
    with tsnlab.open_lab("virtual-i210") as i210:
        talker = i210.host("node1")
        mqprio = MANUAL_MQPRIO[0]
        roots = {
            "below mqprio": kernel.Request(("root", *mqprio.to_tc("100")), netlink.mqprio(mqprio, "100")),
            "below txtime-assist": kernel.taprio(*MANUAL["txtime-assist"][:2], "100"),
        }
        talker.run(["ethtool", "-L", "eth1", "combined", "4"])
        for name, root in roots.items():
            value, _ = MANUAL_ETF[name]
            qdiscs = rebuild(talker, root, kernel.etf(value, "100:1", offload=True), interface="eth1").qdiscs
            assert value.same_as(qdisc.find(qdiscs, "etf", "100:1")["options"], offload=True) == []
        talker.run(["tc", "qdisc", "del", "dev", "eth1", "root"])


# --- what we refuse, the kernel refuses -------------------------------------------------------------


def invalid(seed):
    """A schedule with one thing wrong, unchecked, and the kernel's word for it."""
    value, _ = generated(seed)
    value = value.model_copy(update={"flags": 0, "txtime_delay": 0, "queues": ["1@0"], "map": [0] * 16, "max_sdu": []})
    first, *rest = value.schedule
    changes = [
        ({"map": [*[0] * 15, 1 + seed % 15]}, "Invalid traffic class in priority"),
        ({"queues": ["2@0", "1@1"]}, "overlap"),
        ({"queues": ["1@3", "2@3"]}, "overlap"),
        ({"flags": 3}, "mutually exclusive"),
        ({"flags": 4 + seed}, "reserved bit set"),
        ({"txtime_delay": 1 + seed}, "txtime-delay can only be set"),
        ({"cycle": (1 << 31) + seed}, "integer out of range"),
        ({"fp": ["P"]}, "[Pp]reempt"),
        ({"schedule": []}, "at least one entry"),
        ({"schedule": [first.model_copy(update={"interval": 0}), *rest]}, "Invalid interval"),
    ]
    change, word = changes[seed % len(changes)]
    return value.model_copy(update=change), word


def test_two_hundred_invalid_schedules_are_refused_by_us_and_by_the_kernel(host):
    values = [invalid(seed) for seed in range(200)]
    for value, _ in values:
        with pytest.raises(ValueError, match=r"\w+"):
            Taprio.model_validate(value.model_dump(by_alias=True), context={"exact": True})
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, 0, "100") for value, _ in values])
    for (value, word), answer in zip(values, answers, strict=True):
        assert "errno" in answer, value
        # for the reason that it is wrong for, and no other
        assert re.search(word, answer["message"]), (value, answer)


def test_what_the_kernel_does_not_look_at_is_accepted(host):
    values = [taprio([(1, 1000)], cycle_extension=1 << 40), taprio([(1, 1000)], cycle=500), taprio([(0, 1000)])]
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, 0, "100") for value in values])
    for value, answer in zip(values, answers, strict=True):
        assert value.same_as(answer["options"], 0) == []


def test_what_the_interface_cannot_do_is_refused_by_us_and_by_the_kernel(host):
    nic = NICS["veth"]
    values = [
        taprio([(1, 479)]),
        taprio([(1, 480), (2, 480)], cycle=959),
        taprio([(1, 1000)], queues=["1@0", "1@1", "1@2", "2@3"]),
        taprio([(1, 1000)], flags=2),
        taprio([(1, 1000)], max_sdu=[70_000]),
    ]
    for value in values:
        with pytest.raises(ConfigError, match="cannot run this schedule"):
            nic.check(value)
    answers = kernel.attempt(host, INTERFACE, [netlink.taprio(value, 0, "100") for value in values])
    assert ["errno" in answer for answer in answers] == [True] * len(values)


def test_a_refusal_says_why_on_which_versions_and_what_to_do(host):
    with pytest.raises(CommandError) as caught:
        rebuild(host, kernel.taprio(taprio([(1, 1000)], queues=["1@0", "1@1", "1@2", "2@3"]), 0, "100"))
    message = str(caught.value)
    assert "tc qdisc replace dev enp5s0 parent root" in message
    assert "Queues 2:3 for TC 3 exceed the 4 TX queues available" in message
    assert "Linux 6." in message
    assert "4 transmit queues" in message
    assert "what to do: ethtool -L enp5s0 combined N" in message


# --- applied ----------------------------------------------------------------------------------------


def test_the_guides_schedule_is_applied_and_read_back_within_a_second(lab):
    case, seconds = tsnlab.load_case("case2"), []
    for _ in range(3):  # the best of three: other things may run on this machine
        lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)
        started = time.monotonic()
        assert qdisc.apply(lab, case).changed
        seconds.append(time.monotonic() - started)
        assert not qdisc.apply(lab, case).changed
    assert min(seconds) < 1.0


def test_what_was_there_before_is_there_again_after_undo(lab):
    qdisc.apply(lab, tsnlab.load_case("case2"))
    before = kernel.show(lab.host("node1"), "eth1", exact=True)
    lab.journal._undo.clear()
    qdisc.apply(lab, tsnlab.load_case("case2", etf_delta_us=5))
    lab.undo()
    after = kernel.show(lab.host("node1"), "eth1", exact=True)
    assert [q["options"] for q in after] == [q["options"] for q in before]
    qdisc.check_gates(lab, lab.talker)


def test_every_schedule_of_a_lab_is_in_phase_with_one_reference_and_runs(lab):
    case = tsnlab.load_case("case3")
    qdisc.apply(lab, case)
    tsnlab.switch.configure(lab, case)
    for end in (lab.talker, lab.spec.port_of(lab.listener)):
        options = qdisc.find(qdisc.show(lab.host(end.node), end.interface), "taprio")["options"]
        assert "admin" not in options  # what was pending runs
        assert (options["base_time"] - lab.reference_ns) % options["cycle_time"] == 0
        # it was told ahead of its time, and has begun
        assert lab.reference_ns < options["base_time"] <= lab.now_ns()


def test_gates_that_stand_still_are_noticed(lab):
    qdisc.apply(lab, tsnlab.load_case("case2"))
    qdisc.check_gates(lab, lab.talker)
    lab.host("node1").run(["tc", "qdisc", "replace", "dev", "eth1", "parent", "100:4", "pfifo"])
    with pytest.raises(StepError, match="the gates stand still"):
        qdisc.check_gates(lab, lab.talker)
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"])


@pytest.mark.parametrize(
    ("change", "stands_still"),
    [("the cable is unplugged", False), ("the interface is switched off", True)],
)
def test_after_a_change_of_the_link_it_is_known_whether_the_gates_still_move(lab, change, stands_still):
    qdisc.apply(lab, tsnlab.load_case("case2"))
    if stands_still:
        for state in ("down", "up"):
            lab.host("node1").run(["ip", "link", "set", "eth1", state])
        with pytest.raises(StepError, match="an interface that is switched off, stops them"):
            tsnlab.capture.record(lab, tsnlab.load_case("case2"))
        assert qdisc.apply(lab, tsnlab.load_case("case2")).changed
        qdisc.check_gates(lab, lab.talker)
        assert not qdisc.apply(lab, tsnlab.load_case("case2")).changed
    else:
        faults.link_flap(lab, lab.talker, 0.2)
        qdisc.check_gates(lab, lab.talker)
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"])


# --- by tc alone, as over SSH -----------------------------------------------------------------------


class OverSsh:
    """A node of the lab as SSH would give it: commands and texts, and none of this machine's files."""

    def __init__(self, host):
        self._host = host
        self.run, self.start, self.name = host.run, host.start, host.name
        self.read_text, self.write_text = host.read_text, host.write_text

    def put(self, local, path):
        self.run(["cp", str(local), path])


@pytest.fixture
def over_ssh(lab, monkeypatch):
    """The lab, with its talker and switch reached as over SSH."""
    for node in ("node1", "switch"):
        monkeypatch.setitem(lab._hosts, node, OverSsh(lab.host(node)))
    yield lab
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)


def state_of(host, interface):
    """What the kernel has, but the base time, which is another cycle's, and handles that the kernel counts up."""
    found = kernel.show(host, interface, exact=True)
    for record in found:
        record["options"].pop("base_time", None)
        record.pop("drops")
        record["handle"] = record["handle"] if record.get("root") else ""
    return found


def test_by_tc_alone_the_kernel_is_in_the_same_state(lab, monkeypatch):
    case = tsnlab.load_case("case3")
    direct = lab.host("node1")
    direct.run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)
    by_netlink = qdisc.apply(lab, case)
    wanted = state_of(direct, "eth1")
    direct.run(["tc", "qdisc", "del", "dev", "eth1", "root"])
    monkeypatch.setitem(lab._hosts, "node1", OverSsh(direct))
    by_tc = qdisc.apply(lab, case)
    assert state_of(direct, "eth1") == wanted
    # and the step says the same, whichever way it went
    without_time = [re.sub(r"base-time \d+", "", str(steps)) for steps in (by_netlink, by_tc)]
    assert without_time[0] == without_time[1]
    assert not qdisc.apply(lab, case).changed
    direct.run(["tc", "qdisc", "del", "dev", "eth1", "root"])


def test_by_tc_alone_gates_that_stand_still_are_noticed_and_undo_works(over_ssh):
    lab = over_ssh
    lab.host("node1").run(["tc", "qdisc", "del", "dev", "eth1", "root"], check=False)
    lab.journal._undo.clear()
    qdisc.apply(lab, tsnlab.load_case("case2"))
    qdisc.check_gates(lab, lab.talker)
    lab.host("node1").run(["tc", "qdisc", "replace", "dev", "eth1", "parent", "100:4", "pfifo"])
    with pytest.raises(StepError, match="the gates stand still"):
        qdisc.check_gates(lab, lab.talker)
    lab.undo()
    assert qdisc.root(qdisc.show(lab.host("node1"), "eth1")) is None


def test_by_tc_alone_a_refusal_says_why_and_the_link_is_as_it_was(over_ssh):
    host = over_ssh.host("node1")
    with pytest.raises(CommandError, match="what to do: ethtool -L eth1 combined N"):
        rebuild(
            host, kernel.taprio(taprio([(1, 1000)], queues=["1@0", "1@1", "1@2", "2@3"]), 0, "100"), interface="eth1"
        )
    assert tsnlab.links.is_up(host, "eth1")


def test_by_tc_alone_the_gates_are_proved_as_well(over_ssh):
    proof = qdisc.prove(over_ssh).check()
    # tc 6.1 cannot say a limit of a frame's size, which netlink can
    untold = [outcome.behaviour.name for outcome in proof.outcomes if outcome.skipped]
    assert set(untold) <= {"below the size limit", "above the size limit"}
    assert len(proof.outcomes) == 9

"""Lab and case files are checked values: what is wrong in them is named with file, key and expectation."""

from pathlib import Path

import pytest
import yaml

from tsnlab.case import CASES, load_case
from tsnlab.errors import ConfigError
from tsnlab.lab import LABS, Endpoint, load_lab_file
from tsnlab.quantity import duration_ns, rate_bps


def changed(tmp_path: Path, source: Path, change) -> Path:
    content = yaml.safe_load(source.read_text())
    change(content)
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(content))
    return path


def lab_error(tmp_path, change) -> str:
    path = changed(tmp_path, LABS / "virtual.yaml", change)
    with pytest.raises(ConfigError) as caught:
        load_lab_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def case_error(tmp_path, change, case="case2") -> str:
    path = changed(tmp_path, CASES / f"{case}.yaml", change)
    with pytest.raises(ConfigError) as caught:
        load_case(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("text", "ns"), [("2 ms", 2_000_000), ("28.184 us", 28_184), ("500ns", 500), ("1 s", 10**9)])
def test_a_duration_is_an_exact_number_of_nanoseconds(text, ns):
    assert duration_ns(text) == ns


@pytest.mark.parametrize("wrong", ["2", 2, "2 m", "two ms", "0.5 ns", None])
def test_a_duration_without_a_unit_or_finer_than_a_nanosecond_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected a duration|finer than"):
        duration_ns(wrong)


def test_a_rate_has_bits_per_second():
    assert rate_bps("1 Gbit/s") == 10**9
    with pytest.raises(ValueError, match="expected a rate"):
        rate_bps("1 GB/s")


def test_the_virtual_lab_is_wired_as_the_guides_figure_1():
    lab = load_lab_file()
    plugged = {str(end): str(lab.port_of(end)) for end in (link.ends[0] for link in lab.links)}
    assert plugged == {
        "node1:eth1": "switch:CE04",
        "node2:enp5s0": "switch:CE03",
        "node4:enp5s0": "switch:CE02",
        "node3:enp5s0": "switch:CE01",
    }


def test_a_port_and_its_host_are_ends_of_one_link():
    lab = load_lab_file()
    port = Endpoint(node="switch", interface="CE04")
    assert lab.port_of(lab.port_of(port)) == port


def test_an_unknown_key_of_a_lab_file_is_named(tmp_path):
    assert "nodes.node1.colour: unknown key" in lab_error(tmp_path, lambda c: c["nodes"]["node1"].update(colour="red"))


def test_a_missing_key_of_a_lab_file_is_named(tmp_path):
    assert "links.0.rate: missing" in lab_error(tmp_path, lambda c: c["links"][0].pop("rate"))


def test_a_wrong_unit_is_named_with_those_that_are_expected(tmp_path):
    message = lab_error(tmp_path, lambda c: c["links"][0].update(delay="500 Mbit/s"))
    assert "links.0.delay" in message
    assert "ns, us, ms, s" in message


def test_a_delay_finer_than_the_cable_can_be_is_refused(tmp_path):
    message = lab_error(tmp_path, lambda c: c["links"][0].update(delay="500 ns"))
    assert "expected whole microseconds" in message


def test_a_role_for_a_node_that_is_not_there_is_refused(tmp_path):
    assert "there is no node 'node9'" in lab_error(tmp_path, lambda c: c["roles"].update(talker="node9:eth1"))


def test_a_link_to_an_interface_that_is_not_there_is_refused(tmp_path):
    message = lab_error(tmp_path, lambda c: c["links"][0].update(ends=["node1:eth9", "switch:CE04"]))
    assert "has no interface 'eth9' (it has eth1)" in message


def test_two_links_on_one_interface_are_refused(tmp_path):
    message = lab_error(tmp_path, lambda c: c["links"].append(c["links"][0]))
    assert "the end of two links" in message


def test_an_interface_name_that_the_kernel_would_refuse_is_refused(tmp_path):
    message = lab_error(tmp_path, lambda c: c["nodes"]["node1"]["interfaces"].update({"eth 1": {"mac": "x"}}))
    assert "expected a name" in message


def test_a_file_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ConfigError, match=r"there is no file nowhere.*virtual"):
        load_lab_file("nowhere")


def test_text_that_is_not_yaml_is_an_error_with_the_file_name(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("nodes: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml: not valid YAML"):
        load_lab_file(path)


@pytest.mark.parametrize("name", ["case1", "case2", "case3"])
def test_the_cases_that_come_with_tsnlab_are_valid(name):
    assert load_case(name).name == name


def test_case_2_is_the_guides_table_3():
    case = load_case("case2")
    assert case.stream.window == (1_200_000, 1_300_000)
    assert case.stream.launch_ns == 1_250_000


def test_a_parameter_replaces_what_the_case_file_says():
    assert load_case("case3", packets=10, load_mbps=500.0, switch_qbv=False).load.rate == 500_000_000


def test_an_unknown_parameter_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no parameter 'pakets'; it has packets"):
        load_case("case2", pakets=10)


def test_a_parameter_of_another_case_is_refused():
    with pytest.raises(ConfigError, match="the case has no load"):
        load_case("case1", load_mbps=100)


def test_a_parameter_with_a_wrong_value_is_refused():
    with pytest.raises(ConfigError, match=r"stream\.packets.*greater than 0; got 0"):
        load_case("case2", packets=0)


def test_a_cycle_that_is_no_multiple_of_the_gates_cycle_is_refused():
    with pytest.raises(ConfigError, match="does not divide"):
        load_case("case2", cycle_us=2500)


def test_a_transmit_window_behind_a_closed_gate_is_refused(tmp_path):
    message = case_error(tmp_path, lambda c: c["stream"].update(window=["1250 us", "1350 us"]))
    assert "is not open throughout the window" in message


def test_a_priority_map_of_wrong_length_is_refused(tmp_path):
    assert "taprio.map" in case_error(tmp_path, lambda c: c["taprio"].update(map=[0] * 8))


def test_the_switch_pauses_best_effort_around_the_launch_time_of_the_stream():
    case = load_case("case3", offset_us=20)
    gates = case.switch.taprio(case.stream)
    assert gates.cycle_ns == case.stream.cycle
    assert gates.is_open(6, 1_205_000, 1_235_000)
    assert not gates.is_open(0, 1_205_000, 1_205_001)
    assert gates.is_open(0, 1_235_000, case.stream.cycle)

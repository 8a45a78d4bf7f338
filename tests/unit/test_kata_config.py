"""Kata's configuration edited: the right keys for the version, and nothing else touched."""

import pytest

from tsnlab import kata_config, node_file
from tsnlab.errors import ConfigError
from tsnlab.kata import Container

KATA_1 = """\
# Copyright (c) 2017-2019 Intel Corporation

[hypervisor.qemu]
path = "/usr/bin/qemu-vanilla-system-x86_64"
kernel = "/usr/share/kata-containers/vmlinuz.container"
machine_type = "pc"

# VFIO devices are hotplugged on a bridge by default.\x20
# Enable hotplugging on root bus. This may be required for devices with
# a large PCI bar, as this is a current limitation with hotplugging on\x20
# a bridge. This value is valid for "pc" machine type.
# Default false
#hotplug_vfio_on_root_bus = true

# Default 0
#pcie_root_port = 2

[agent.kata]
# hotplug_vfio_on_root_bus = true
"""

KATA_3 = """\
[hypervisor.qemu]
machine_type = "q35"
hot_plug_vfio = "no-port"  # where
cold_plug_vfio = "no-port"
pcie_root_port = 0

[runtime]
vfio_mode = "guest-kernel"
"""


def _changed(before, after):
    return [line for line in node_file.diff(before, after, "f").splitlines()[2:] if line[0] in "+-"]


def test_the_commented_key_of_1_x_is_uncommented_where_it_stands():
    after = kata_config.edit(KATA_1, kata_config.settings((1, 11, 0)), "configuration.toml")
    assert _changed(KATA_1, after) == ["-#hotplug_vfio_on_root_bus = true", "+hotplug_vfio_on_root_bus = true"]


def test_the_ports_of_3_2_are_set_and_comments_kept():
    wanted = {"hypervisor": {"hot_plug_vfio": "bridge-port", "cold_plug_vfio": "no-port"}}
    after = kata_config.edit(KATA_3, wanted, "configuration.toml")
    assert _changed(KATA_3, after) == ['-hot_plug_vfio = "no-port"  # where', '+hot_plug_vfio = "bridge-port"  # where']


def test_a_key_that_is_nowhere_is_added_to_its_section():
    before = '[hypervisor.qemu]\nmachine_type = "pc"\n\n[runtime]\n'
    after = kata_config.edit(before, {"hypervisor": {"pcie_root_port": 1}}, "f")
    assert after == '[hypervisor.qemu]\nmachine_type = "pc"\npcie_root_port = 1\n\n[runtime]\n'


@pytest.mark.parametrize("text", [KATA_1, KATA_3])
@pytest.mark.parametrize("version", [(1, 11, 0), (2, 5, 0), (3, 2, 0), (4, 1, 0)])
def test_editing_twice_is_editing_once(text, version):
    once = kata_config.edit(text, kata_config.settings(version), "f")
    assert kata_config.edit(once, kata_config.settings(version), "f") == once


@pytest.mark.parametrize(
    ("version", "key", "value"),
    [((1, 11, 0), "machine_type", "pc"), ((2, 0, 0), "pcie_root_port", 1), ((3, 2, 0), "hot_plug_vfio", "bridge-port")],
)
def test_each_version_is_told_what_it_understands(version, key, value):
    assert kata_config.settings(version)["hypervisor"][key] == value
    assert ("hotplug_vfio_on_root_bus" in kata_config.settings(version)["hypervisor"]) == (version < (3, 2, 0))


@pytest.mark.parametrize(("text", "message"), [("a = [", "not valid TOML"), ("a = 1\n", "no section")])
def test_what_is_not_katas_configuration_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"file.toml: {message}"):
        kata_config.edit(text, {}, "file.toml")


def test_a_key_of_another_section_goes_there():
    after = kata_config.edit(KATA_1, {"runtime": {"vfio_mode": "guest-kernel"}}, "f")
    assert after == KATA_1 + '\n[runtime]\nvfio_mode = "guest-kernel"\n'


def test_a_drop_in_overrides_and_is_overridden_by_what_comes_later():
    wanted = kata_config.settings((3, 2, 0))
    ours = kata_config.drop_in(wanted, kata_config.hypervisor_of(KATA_3, "main"))
    assert "[hypervisor.qemu]\nmachine_type" in ours
    assert set(kata_config.unmet([("main", KATA_3)], wanted).values()) == {"main"}
    assert kata_config.unmet([("main", KATA_3), ("zz-tsnlab.toml", ours)], wanted) == {}
    later = ("zzz.toml", '[hypervisor.qemu]\nhot_plug_vfio = "root-port"\n')
    assert kata_config.unmet([("main", KATA_3), ("zz-tsnlab.toml", ours), later], wanted) == {
        "hot_plug_vfio": "zzz.toml"
    }


def test_versions_are_read():
    assert kata_config.parse_version("kata-runtime  : 1.11.0\n   commit   : abc\n   OCI specs: 1.0.1-dev") == (1, 11, 0)
    with pytest.raises(ConfigError, match="no version of Kata"):
        kata_config.parse_version("none")


def test_the_docker_command_is_the_guides():
    guide = (
        "docker run -it -d --runtime=kata-runtime --cpus 2 --rm --device /dev/vfio/16 -v /dev:/dev --cap-add SYS_NICE"
        " --cap-add SYS_TIME --cap-add NET_ADMIN --name tsn kata_tsn_image /bin/bash"
    )
    assert " ".join(Container("/dev/vfio/16").argv()) == guide


def test_what_nerdctl_detaches_has_no_terminal():
    argv = Container("/dev/vfio/16", engine="nerdctl", runtime="io.containerd.kata.v2", config="/etc/kata.toml").argv()
    assert argv[:5] == ["env", "KATA_CONF_FILE=/etc/kata.toml", "nerdctl", "run", "-d"]
    assert argv[-4:] == ["kata_tsn_image", "tail", "-f", "/dev/null"]


def test_ctr_is_told_katas_configuration():
    argv = Container("/dev/vfio/16", engine="ctr", runtime="io.containerd.kata.v2", config="/etc/kata.toml").argv()
    assert argv[argv.index("--runtime-config-path") + 1] == "/etc/kata.toml"
    assert argv[-5:] == ["kata_tsn_image", "tsn", "tail", "-f", "/dev/null"]

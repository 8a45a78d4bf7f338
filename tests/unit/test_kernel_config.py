"""A kernel fragment asks, the final .config answers, and nobody has to compare them by eye."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsnlab.errors import ConfigError
from tsnlab.kernel import FRAGMENTS
from tsnlab.kernel.config import SymbolRow, compare, dependencies, merge, parse_config, parse_fragment

FINAL = """\
#
# Linux/um 6.12.117 Kernel Configuration
#
CONFIG_NET_SCH_TAPRIO=y
# CONFIG_IPV6 is not set
CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID=1234
CONFIG_LOCALVERSION=""
CONFIG_NET_SCH_ETF=m
"""

symbols = st.from_regex(r"CONFIG_[A-Z0-9_]{1,12}", fullmatch=True)
values = st.sampled_from(["y", "m", "n", "1234", "-1", "0x1f", '"text = here"'])
configs = st.dictionaries(symbols, values, max_size=8)


def rendered(config: dict[str, str]) -> str:
    lines = [f"# {name} is not set" if value == "n" else f"{name}={value}" for name, value in config.items()]
    return "\n".join(lines)


def test_a_config_tells_set_and_unset_symbols() -> None:
    assert parse_config(FINAL) == {
        "CONFIG_NET_SCH_TAPRIO": "y",
        "CONFIG_IPV6": "n",
        "CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID": "1234",
        "CONFIG_LOCALVERSION": '""',
        "CONFIG_NET_SCH_ETF": "m",
    }


@given(configs)
def test_what_is_written_as_a_fragment_is_read_back(config: dict[str, str]) -> None:
    assert parse_fragment(rendered(config), "any.conf") == config


@given(configs)
def test_a_config_that_holds_the_fragment_loses_nothing(config: dict[str, str]) -> None:
    assert compare(config, parse_config(rendered(config))).lost == ()


@given(configs, configs)
def test_a_later_fragment_wins(first: dict[str, str], second: dict[str, str]) -> None:
    assert merge([first, second]) == first | second


@pytest.mark.parametrize(
    "line",
    [
        "NET=y",
        "CONFIG_NET y",
        "CONFIG_NET = y",
        "CONFIG_NET=yes",
        "CONFIG_NET=y # the network",
        "#CONFIG_NET is not set",
        "# CONFIG_NET not set",
    ],
)
def test_a_line_that_kconfig_would_ignore_is_an_error_with_file_and_line(line: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s)my\.conf:3: .*CONFIG_NAME=value"):
        parse_fragment(f"# the network\n\n{line}\n", "my.conf")


def test_comments_and_empty_lines_ask_for_nothing() -> None:
    assert parse_fragment("# qdisc for tsn\n\n#\n", "my.conf") == {}


def test_a_symbol_that_is_absent_counts_as_not_set() -> None:
    table = compare({"CONFIG_IGB": "y", "CONFIG_WIRELESS": "n"}, parse_config(FINAL))
    assert [row.symbol for row in table.lost] == ["CONFIG_IGB"]
    assert table.summary == "1 of 2 requested symbols are as requested"


def test_a_module_is_as_good_as_built_in_but_is_noted() -> None:
    (row,) = compare({"CONFIG_NET_SCH_ETF": "y"}, parse_config(FINAL))
    assert row == SymbolRow("CONFIG_NET_SCH_ETF", "y", "m", "as a module")
    assert row.survived


def test_a_number_that_kconfig_changed_is_lost() -> None:
    wanted = {"CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID": "5"}
    assert len(compare(wanted, parse_config(FINAL)).lost) == 1


def test_the_table_shows_what_was_lost_and_why_it_may_differ_here() -> None:
    table = compare({"CONFIG_IGB": "y", "CONFIG_NET_SCH_TAPRIO": "y"}, parse_config(FINAL))
    header, igb, taprio = str(table).splitlines()
    assert header.split() == ["symbol", "requested", "actual", "note"]
    assert igb.startswith("IGB")
    assert "not set  <- lost" in igb
    assert "needs PCI" in igb
    assert taprio.split() == ["NET_SCH_TAPRIO", "y", "y"]


def test_the_table_in_a_notebook_escapes_what_it_shows() -> None:
    html = compare({"CONFIG_LOCALVERSION": '"<b>"'}, {})._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_a_symbols_dependencies_are_found_in_kconfig() -> None:
    kconfig = """\
config IGB
\ttristate "Intel(R) 82575/82576 PCI-Express Gigabit Ethernet support"
\tdepends on PCI
\tdepends on PTP_1588_CLOCK_OPTIONAL && \\
\t\tNET
\thelp
\t  This driver supports the I210.

\t  More is in the documentation.

config IGBVF
\tdepends on PCI_MSI
"""
    assert dependencies("CONFIG_IGB", kconfig) == ["PCI", "PTP_1588_CLOCK_OPTIONAL && NET"]
    assert dependencies("CONFIG_IG", kconfig) is None


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_the_projects_own_fragments_are_well_formed(path: Path) -> None:
    assert parse_fragment(path.read_text(), path.name)


def test_the_guides_fragment_asks_for_what_the_guide_lists() -> None:
    requested = parse_fragment(FRAGMENTS[0].read_text(), "stx.conf")
    assert set(requested) == {
        "CONFIG_NET_SCH_TAPRIO",
        "CONFIG_NET_SCH_ETF",
        "CONFIG_IGB",
        "CONFIG_NET_PTP_CLASSIFY",
        "CONFIG_NETWORK_PHY_TIMESTAMPING",
        "CONFIG_PTP_1588_CLOCK",
        "CONFIG_VLAN_8021Q",
    }

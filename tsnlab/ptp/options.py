"""Every option of a ptp4l configuration file, with its values.

Source: linuxptp's config.c, versions 1.8 to 4.4; ptp4l(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tsnlab.errors import ConfigError

_INT = (-(1 << 31), (1 << 31) - 1)


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        scope: `global` options stand in the section [global] only, `port` options in any.
        low, high: of a number.
        words: of an enumeration, in any case.
        real: whether the number may have a fraction.
    """

    scope: Literal["global", "port"]
    low: float = _INT[0]
    high: float = _INT[1]
    words: tuple[str, ...] = ()
    real: bool = False
    text: bool = False

    def problem(self, value: str) -> str:
        """What is wrong with a value; empty if it is fine."""
        if self.text:
            return "" if value else "is empty"
        if self.words:
            known = value.lower() in {word.lower() for word in self.words}
            return "" if known else f"is none of {', '.join(self.words)}"
        try:
            number = float(value) if self.real else int(value, 0)
        except ValueError:
            return "is not a number" if self.real else "is not a whole number"
        return "" if self.low <= number <= self.high else f"is not within {self.low:g} to {self.high:g}"


def _numbers(scope: Literal["global", "port"], low: float, high: float, names: str) -> dict[str, Option]:
    return {name: Option(scope, low, high) for name in names.split()}


def _words(scope: Literal["global", "port"], **names: str) -> dict[str, Option]:
    return {name: Option(scope, words=tuple(words.split())) for name, words in names.items()}


_FLAGS = """assume_two_step check_fup_sync clientOnly slaveOnly free_running gmCapable kernel_leap twoStepFlag
    use_syslog verbose write_phase_mode"""
_PORT_FLAGS = """boundary_clock_jbod follow_up_info hybrid_e2e inhibit_announce inhibit_delay_req
    inhibit_multicast_service masterOnly serverOnly net_sync_monitor path_trace_enabled
    tc_spanning_tree unicast_listen"""

OPTIONS: dict[str, Option] = {
    **_numbers("global", 0, 1, _FLAGS),
    **_numbers("port", 0, 1, _PORT_FLAGS),
    **_numbers("global", 0, 255, "priority1 priority2 clockClass clockAccuracy"),
    **_numbers("global", 0x10, 0xFE, "timeSource"),
    **_numbers("global", 0, 127, "domainNumber"),
    **_numbers("global", 0, 63, "dscp_event dscp_general"),
    **_numbers("global", 0, 15, "socket_priority"),
    **_numbers("global", 0, 7, "logging_level"),
    **_numbers("global", 6, 255, "clock_class_threshold"),
    **_numbers("global", 2, 255, "maxStepsRemoved"),
    **_numbers("global", 0, 65535, "offsetScaledLogVariance"),
    **_numbers("global", 1, _INT[1], "tx_timestamp_timeout"),
    **_numbers(
        "global", 0, _INT[1], "max_frequency sanity_freq_limit servo_num_offset_values step_window initial_delay"
    ),
    **_numbers("global", *_INT, "summary_interval utc_offset freq_est_interval ntpshm_segment servo_offset_threshold"),
    **_numbers("port", -128, 127, "logAnnounceInterval logSyncInterval logMinDelayReqInterval logMinPdelayReqInterval"),
    **_numbers("port", -128, 127, "operLogSyncInterval operLogPdelayReqInterval fault_reset_interval"),
    **_numbers("port", 2, 255, "announceReceiptTimeout"),
    **_numbers("port", 0, 255, "syncReceiptTimeout"),
    **_numbers("port", 1, 255, "udp_ttl"),
    **_numbers("port", 0, 15, "transportSpecific udp6_scope"),
    **_numbers("port", 0, _INT[1], "neighborPropDelayThresh"),
    **_numbers("port", _INT[0], -1, "min_neighbor_prop_delay"),
    **_numbers("port", *_INT, "delayAsymmetry"),
    **_numbers("port", 1, _INT[1], "delay_filter_length"),
    **{name: Option("port", real=True) for name in ("egressLatency", "ingressLatency")},
    **{name: Option("global", 0, 1e12, real=True) for name in ("first_step_threshold", "step_threshold")},
    **_words(
        "global",
        clock_servo="pi linreg ntpshm nullf refclock_sock",
        clock_type="OC BC P2P_TC E2E_TC",
        dataset_comparison="ieee1588 G.8275.x",
        hwts_filter="normal check full",
        time_stamping="hardware legacy onestep p2p1step software",
        tsproc_mode="filter raw filter_weight raw_weight",
    ),
    **_words(
        "port",
        asCapable="auto true",
        BMCA="ptp noop",
        delay_filter="moving_average moving_median",
        delay_mechanism="Auto E2E P2P NONE",
        network_transport="L2 UDPv4 UDPv6",
    ),
    **{
        name: Option("global", text=True)
        for name in ("message_tag", "uds_address", "uds_ro_address", "userDescription", "productDescription")
    },
    **{name: Option("port", text=True) for name in ("ptp_dst_mac", "p2p_dst_mac")},
}
"""Known options; those of unicast, SyncE and power profiles are left out."""

SINCE_4 = frozenset({"clock_class_threshold", "step_window", "uds_ro_address"})
"""Options that linuxptp 3 does not know."""

_OLD_NAMES = {"clientOnly": "slaveOnly", "serverOnly": "masterOnly"}


def check(options: Mapping[str, str], *, section: str = "global") -> None:
    """Refuses what ptp4l would refuse, and what cannot mean what it says.

    Raises:
        ConfigError: names each option, with what is wrong.
    """
    found = [
        f"{name} {value}: {problem}" for name, value in options.items() if (problem := _problem(name, value, section))
    ]
    if options.get("gmCapable") == "0" and "1" in (options.get("clientOnly"), options.get("slaveOnly")):
        found.append("clientOnly 1: cannot be mixed with gmCapable 0 (1588's and 802.1AS's way to say the same)")
    if found:
        raise ConfigError(f"ptp4l's configuration, section [{section}]:\n  " + "\n  ".join(found))


def named_for(version: str, options: Mapping[str, str]) -> dict[str, str]:
    """The options with the names of a linuxptp version: clientOnly and serverOnly were slaveOnly and masterOnly."""
    major = int(match[1]) if (match := re.match(r"(\d+)", version)) else 4
    return {_OLD_NAMES.get(name, name) if major < 4 else name: value for name, value in options.items()}


def _problem(name: str, value: str, section: str) -> str:
    option = OPTIONS.get(name)
    if option is None:
        close = [known for known in OPTIONS if known.lower() == name.lower()]
        return f"unknown option; did you mean {close[0]}?" if close else "unknown option"
    if option.scope == "global" and section != "global":
        return "belongs into the section [global]"
    return option.problem(value)

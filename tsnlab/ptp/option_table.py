"""Every option of ptp4l's configuration file, with the values that it takes.

Source: linuxptp's config.c, versions 1.8 to after 4.4; ptp4l(8); configs/default.cfg. Options of its other programs
(ts2phc) are known to the same parser, and left out: ptp4l makes nothing of them.
"""

from __future__ import annotations

from tsnlab.ptp.option import LARGEST, SMALLEST, Option, Scope


def _numbers(scope: Scope, low: float, high: float, names: str) -> dict[str, Option]:
    return {name: Option(scope, low, high) for name in names.split()}


def _words(scope: Scope, **names: str) -> dict[str, Option]:
    return {name: Option(scope, words=tuple(words.split())) for name, words in names.items()}


def _reals(low: float, high: float, names: str) -> dict[str, Option]:
    return {name: Option("global", low, high, real=True) for name in names.split()}


def _texts(scope: Scope, names: str) -> dict[str, Option]:
    return {name: Option(scope, text=True) for name in names.split()}


_FLAGS = """assume_two_step check_fup_sync clientOnly slaveOnly free_running gmCapable kernel_leap ptp_minor_version
    tc_spanning_tree twoStepFlag use_syslog verbose write_phase_mode"""
_PORT_FLAGS = """boundary_clock_jbod follow_up_info hybrid_e2e ignore_source_id ignore_transport_specific
    inhibit_announce inhibit_delay_req inhibit_multicast_service interface_rate_tlv masterOnly msg_interval_request
    net_sync_monitor path_trace_enabled serverOnly unicast_listen"""

OPTIONS: dict[str, Option] = {
    # the clock
    **_numbers("global", 0, 1, _FLAGS),
    **_numbers("global", 0, 255, "priority1 priority2 clockClass clockAccuracy"),
    **_numbers("global", 1, 255, "G.8275.defaultDS.localPriority"),
    **_numbers("global", 0x10, 0xFE, "timeSource"),
    # up to 255 in version 4; IEEE 1588 leaves 128 and above to no domain of time
    **_numbers("global", 0, 127, "domainNumber"),
    **_numbers("global", 0, 63, "dscp_event dscp_general"),
    **_numbers("global", 0, 15, "socket_priority"),
    **_numbers("global", 0, 7, "logging_level"),
    **_numbers("global", 6, 248, "clock_class_threshold"),
    **_numbers("global", 2, 255, "maxStepsRemoved"),
    **_numbers("global", 0, 0xFFFF, "offsetScaledLogVariance"),
    **_numbers("global", 1, LARGEST, "tx_timestamp_timeout"),
    **_numbers("global", 0, LARGEST, "max_frequency sanity_freq_limit servo_num_offset_values step_window utc_offset"),
    **_numbers("global", 0, LARGEST, "initial_delay servo_offset_threshold"),
    **_numbers("global", SMALLEST, LARGEST, "summary_interval ntpshm_segment"),
    **_words(
        "global",
        clock_servo="pi linreg ntpshm nullf refclock_sock",
        clock_type="OC BC P2P_TC E2E_TC",
        dataset_comparison="ieee1588 G.8275.x",
        hwts_filter="normal check full",
        time_stamping="hardware legacy onestep p2p1step software",
    ),
    **_texts("global", "message_tag uds_address uds_ro_address refclock_sock_address slave_event_monitor"),
    **_texts("global", "clockIdentity leapfile sa_file"),
    **_texts("global", "userDescription productDescription revisionData manufacturerIdentity"),
    # its servo
    **_reals(0, 1e12, "first_step_threshold step_threshold"),
    **_reals(0, 1e12, "pi_integral_const pi_integral_scale pi_proportional_const pi_proportional_scale"),
    **_reals(-1e12, 1e12, "pi_integral_exponent pi_proportional_exponent"),
    **_reals(1e-12, 2, "pi_integral_norm_max"),
    **_reals(1e-12, 1, "pi_proportional_norm_max"),
    # its ports
    **_numbers("port", 0, 1, _PORT_FLAGS),
    **_numbers("port", -128, 127, "logAnnounceInterval logSyncInterval logMinDelayReqInterval logMinPdelayReqInterval"),
    **_numbers("port", -128, 127, "operLogSyncInterval operLogPdelayReqInterval fault_reset_interval"),
    **_numbers("port", SMALLEST, LARGEST, "fault_badpeernet_interval delayAsymmetry freq_est_interval"),
    **_numbers("port", SMALLEST, LARGEST, "egressLatency ingressLatency"),
    **_numbers("port", 2, 255, "announceReceiptTimeout"),
    **_numbers("port", 1, 255, "allowedLostResponses udp_ttl G.8275.portDS.localPriority"),
    **_numbers("port", 0, 255, "syncReceiptTimeout delay_response_timeout"),
    **_numbers("port", 0, 15, "transportSpecific udp6_scope"),
    **_numbers("port", 0, LARGEST, "neighborPropDelayThresh"),
    **_numbers("port", SMALLEST, -1, "min_neighbor_prop_delay"),
    **_numbers("port", 1, LARGEST, "delay_filter_length"),
    **_numbers("port", -1, LARGEST, "phc_index"),
    **_numbers("port", 0, 0o777, "uds_file_mode uds_ro_file_mode"),
    **_words(
        "port",
        asCapable="auto true",
        BMCA="ptp noop",
        delay_filter="moving_average moving_median",
        delay_mechanism="Auto E2E P2P NONE COMMON_P2P",
        network_transport="L2 UDPv4 UDPv6",
        tsproc_mode="filter raw filter_weight raw_weight",
    ),
    **_texts("port", "ptp_dst_mac p2p_dst_mac ptp_dst_ipv4 p2p_dst_ipv4 ptp_dst_ipv6 p2p_dst_ipv6"),
    # unicast, see unicast.py for the tables
    **_numbers("port", 0, LARGEST, "unicast_master_table"),
    **_numbers("port", 10, LARGEST, "unicast_req_duration"),
    # IEEE C37.238, the power profile
    "power_profile.version": Option("port", words=("none", "2011", "2017")),
    **_numbers("port", 0, 0xFFFF, "power_profile.grandmasterID"),
    **{
        f"power_profile.{name}TimeInaccuracy": Option("port", -1, LARGEST)
        for name in ("2011.grandmaster", "2011.network", "2017.total")
    },
    # a link's delay that several domains share (802.1AS-2020, CMLDS), and authentication (IEEE 1588, 16.14)
    **_numbers("port", 0, 255, "cmlds.domainNumber"),
    **_numbers("port", 0, 15, "cmlds.majorSdoId"),
    **_numbers("port", 0, 0xFFFF, "cmlds.port"),
    **_texts("port", "cmlds.client_address cmlds.server_address"),
    **_numbers("port", 0, (1 << 32) - 1, "active_key_id"),
    **_numbers("port", 0, 2, "allow_unauth"),
    **_numbers("port", -1, 255, "spp"),
}

_NEW = """active_key_id allow_unauth allowedLostResponses clock_class_threshold delay_response_timeout
    cmlds.client_address cmlds.domainNumber cmlds.majorSdoId cmlds.port cmlds.server_address interface_rate_tlv
    leapfile p2p_dst_ipv4 p2p_dst_ipv6 phc_index power_profile.2011.grandmasterTimeInaccuracy
    power_profile.2011.networkTimeInaccuracy power_profile.2017.totalTimeInaccuracy power_profile.grandmasterID
    power_profile.version ptp_dst_ipv4 ptp_dst_ipv6 ptp_minor_version refclock_sock_address sa_file spp step_window
    uds_file_mode uds_ro_address uds_ro_file_mode"""

SINCE_4 = frozenset(_NEW.split())
"""Options that linuxptp 3.1 does not know."""

OLD_NAMES = {"clientOnly": "slaveOnly", "serverOnly": "masterOnly"}
"""Options as they were called before version 4, which still takes the old names."""

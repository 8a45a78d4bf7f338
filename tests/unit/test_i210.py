"""The I210 as a driver meets it, register by register; no kernel here (see tests/lab/test_i210.py for igb)."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.i210_bench import GIGABIT, Bench, launch_context
from tsnlab.errors import DeviceError
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210.offload import ones_complement_sum

THERE = bytes.fromhex("020000000002")
HERE = bytes.fromhex("020000000001")
TAGGED, STAMPED, END = 0x8, 0x8000, 0x3
LAUNCH_QUEUE = 1 << 31


def frame(payload=b"hello", kind=0x88B5, target=THERE):
    return (target + HERE + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def udp(length, target=THERE):
    """A UDP datagram whose checksum is that of its pseudo header, as a driver hands it over."""
    datagram = struct.pack("!HHHH", 1000, 2000, 8 + length, 0) + bytes(i & 0xFF for i in range(length))
    return ip_packet(17, datagram, 6, target)


def ip_packet(protocol, l4, checksum_at, target=THERE, *, without_length=False):
    addresses = bytes([192, 168, 1, 1, 192, 168, 1, 2])
    header = struct.pack("!BBHHHBBH", 0x45, 0, 0 if without_length else 20 + len(l4), 7, 0, 64, protocol, 0) + addresses
    pseudo = ones_complement_sum(addresses, protocol + (0 if without_length else len(l4)))
    l4 = l4[:checksum_at] + pseudo.to_bytes(2, "big") + l4[checksum_at + 2 :]
    return target + HERE + b"\x08\x00" + header + l4


def qav(driver, queues=(0, 1)):
    """Launch times on some queues, as igb_config_tx_modes sets them."""
    driver.write(r.TQAVCTRL, r.TQAVCTRL_QAV | r.TQAVCTRL_LAUNCH | r.TQAVCTRL_SP_WAIT_SR | 0xFFFF << 16)
    for queue in queues:
        driver.write(r.TQAVCC0 + 0x40 * queue, LAUNCH_QUEUE)


def stamps(driver):
    """Every received frame, and sent frames that ask for it, are stamped."""
    driver.write(r.RXPBS, 1 << 31 | 34)
    driver.write(r.TSYNCRXCTL, 0x18)
    driver.write(r.TSYNCTXCTL, 0x10)
    driver.write(r.TSIM, 2)
    driver.write(r.IMS, r.ICR_TS)


def seconds(data):
    nanoseconds, whole = struct.unpack_from("<II", data, 8)
    return whole * 10**9 + nanoseconds


def test_a_frame_arrives_after_its_own_length_on_the_line_and_the_delay():
    bench = Bench().started()
    bench.here.send(frame())
    length_ns = (8 + 60 + 4) * 8
    bench.run(length_ns + 499)
    assert bench.there.received() == []
    bench.run(1)
    assert [(data, status & END) for data, status, _ in bench.there.received()] == [(frame(), END)]


def test_a_sent_descriptor_is_written_back_and_reported_by_its_own_vector():
    bench = Bench().started()
    bench.here.endpoint.messages.clear()
    bench.here.send(frame(), queue=2)
    bench.run(10_000)
    status = bench.memory.read(bench.here.ring(2, 0) + 12, 4)
    assert status == struct.pack("<I", 1)
    assert bench.here.read(r.TDH, 2) == 1
    assert bench.here.endpoint.messages == [103]


def test_a_vector_that_is_masked_by_its_message_speaks_again_when_it_is_unmasked():
    bench = Bench().started()
    bench.there.endpoint.messages.clear()
    for _ in range(3):
        bench.here.send(frame())
    bench.run(10_000)
    assert bench.there.endpoint.messages == [101]
    bench.there.write(r.EIMS, 1 << 1)
    bench.run(0)
    assert bench.there.endpoint.messages == [101, 101]


def test_moderation_keeps_interrupts_apart_and_lets_the_first_through_at_once():
    bench = Bench().started()
    bench.there.write(r.EITR0 + 4, (50 << 2) | r.EITR_KEEP_COUNTER)
    bench.there.endpoint.messages.clear()
    times = []
    for _ in range(8):
        bench.here.send(frame())
        bench.run(10_000)
        if len(bench.there.endpoint.messages) > len(times):
            times.append(bench.now)
        bench.there.write(r.EIMS, 1 << 1)
    assert len(times) == 2


@pytest.mark.parametrize(("rate", "speed_bits"), [(GIGABIT, 0x80), (GIGABIT // 10, 0x40)])
def test_the_link_has_the_rate_of_the_cable(rate, speed_bits):
    bench = Bench(rate=rate).started()
    assert bench.here.read(r.STATUS) & 0xC0 == speed_bits
    bench.here.send(frame())
    bench.run((8 + 60 + 4) * 8 * GIGABIT // rate + 500)
    assert len(bench.there.received()) == 1


def test_an_unplugged_cable_takes_the_link_down_at_both_ends_and_loses_what_is_on_it():
    bench = Bench().started()
    for driver in (bench.here, bench.there):
        driver.write(r.IMS, r.ICR_LSC)
        driver.endpoint.messages.clear()
        driver.read(r.ICR)
    bench.here.send(frame())
    bench.cable.plugged = False
    bench.run(1_000_000_000)
    assert bench.there.received() == []
    assert [d.read(r.STATUS) & r.STATUS_LU for d in (bench.here, bench.there)] == [0, 0]
    assert all(100 in driver.endpoint.messages for driver in (bench.here, bench.there))
    assert bench.here.read(r.ICR) & r.ICR_LSC
    bench.cable.plugged = True
    bench.run(100_000_000)
    assert bench.here.read(r.STATUS) & r.STATUS_LU


def test_a_frame_is_launched_at_its_32_ns_step_and_stamped_64_ns_later():
    bench = Bench().started()
    qav(bench.here)
    stamps(bench.here)
    bench.here.write(r.SYSTIML, 0)
    bench.here.write(r.SYSTIMH, 5)
    begin = bench.now
    bench.here.send(frame(), context=launch_context(31_251), flags=1 << 19)
    bench.run(999_000)
    assert bench.here.read(r.TSYNCTXCTL) & 1 == 0
    bench.run(10_000)
    assert bench.here.read(r.TSYNCTXCTL) & 1 == 1
    stamp = bench.here.read(r.TXSTMPL) + 10**9 * bench.here.read(r.TXSTMPH)
    # the driver adds 178 ns of latency, and the clock goes on in steps of 8 ns
    assert 0 <= 5 * 10**9 + 31_251 * 32 + 64 - (stamp + 178) < 8
    assert bench.here.read(r.TSYNCTXCTL) & 1 == 0
    assert begin + 31_251 * 32 < bench.now


@pytest.mark.parametrize("ahead_ns", [-1_000_000, 500_000_000, 999_000_000])
def test_a_launch_time_that_has_passed_or_is_half_a_second_ahead_is_now(ahead_ns):
    bench = Bench().started()
    qav(bench.here)
    bench.here.write(r.SYSTIML, 100_000_000)
    bench.here.write(r.SYSTIMH, 0)
    steps = (100_000_000 + ahead_ns) % 10**9 // 32
    bench.here.send(frame(), context=launch_context(steps))
    bench.run(2_000)
    assert len(bench.there.received()) == 1


def test_a_launch_time_half_a_second_ahead_but_32_ns_is_waited_for():
    bench = Bench().started()
    qav(bench.here)
    bench.here.write(r.SYSTIML, 0)
    bench.here.write(r.SYSTIMH, 0)
    bench.here.send(frame(), context=launch_context(500_000_000 // 32 - 1))
    bench.run(499_999_000)
    assert bench.there.received() == []
    bench.run(3_000)
    assert len(bench.there.received()) == 1


def test_queues_without_launch_times_go_on_while_a_frame_waits_unless_they_would_delay_it():
    bench = Bench().started()
    qav(bench.here)
    bench.here.write(r.SYSTIML, 0)
    bench.here.write(r.SYSTIMH, 0)
    bench.here.send(frame(b"launched"), 1, context=launch_context(1_000))
    for _ in range(6):
        bench.here.send(frame(b"x".ljust(1486)), 3)
    bench.run(31_999 + 64 + 500)
    assert 0 < len(bench.there.received()) < 6
    bench.run(1_000_000)
    order = [data[14:22] for data, _, _ in bench.there.received()]
    assert len(order) == 7
    launched = order.index(b"launched")
    assert 0 < launched < 6


def test_a_launch_time_on_queue_2_is_ignored():
    bench = Bench().started()
    qav(bench.here)
    bench.here.write(r.SYSTIML, 0)
    bench.here.write(r.SYSTIMH, 0)
    bench.here.send(frame(), 2, context=launch_context(1_000_000))
    bench.run(2_000)
    assert len(bench.there.received()) == 1


def test_the_clock_of_the_receiver_stamps_the_delimiter_of_each_frame():
    bench = Bench(options=({}, {"error_ppb": 100_000})).started()
    stamps(bench.there)
    bench.there.write(r.SYSTIML, 0)
    bench.there.write(r.SYSTIMH, 9)
    begin = bench.now
    bench.run(1_000_000_000)
    bench.here.send(frame())
    sent = bench.now
    bench.run(10_000)
    ((data, status, _),) = bench.there.received()
    assert status & STAMPED
    assert data[16:] == frame()
    medium = sent + 64 + 500 - begin
    expected = 9 * 10**9 + medium + medium // 10_000
    # the driver subtracts 448 ns of latency
    assert -8 <= seconds(data) - 448 - expected <= 1


def test_the_first_time_after_a_reset_is_as_wrong_as_the_nodes_clock():
    bench = Bench(options=({"offset_ns": 1_000_000_000}, {})).started()
    for expected in (6, 5):
        bench.here.write(r.SYSTIML, 7)
        bench.here.write(r.SYSTIMH, 5)
        bench.here.read(r.SYSTIMR)
        assert bench.here.read(r.SYSTIMH) == expected


def test_a_tag_is_inserted_and_stripped():
    bench = Bench().started()
    bench.here.send(frame(), context=launch_context(0, tag=6 << 13 | 3), flags=1 << 30)
    bench.run(10_000)
    ((data, status, vlan),) = bench.there.received()
    assert (data, vlan) == (frame(), 6 << 13 | 3)
    assert status & TAGGED


def test_frames_are_steered_by_priority_ethertype_and_address():
    bench = Bench().started()
    bench.there.write(r.VLAPQF, (8 | 1) << 4 * 6)
    bench.there.write(r.ETQF0, 1 << 31 | 1 << 26 | 2 << 16 | 0x88F7)
    bench.there.write(r.RAL0 + 8, int.from_bytes(b"\x02\x00\x00\x00", "little"))
    bench.there.write(r.RAH0 + 8, int.from_bytes(b"\x00\x09", "little") | 1 << 31 | 1 << 28 | 3 << 18)
    bench.here.send(frame(), context=launch_context(0, tag=6 << 13), flags=1 << 30)
    bench.here.send(frame(kind=0x88F7))
    bench.here.send(frame(target=bytes.fromhex("020000000009")))
    bench.here.send(frame())
    bench.run(20_000)
    assert [len(bench.there.received(queue)) for queue in range(4)] == [1, 1, 1, 1]


def test_frames_for_others_are_not_taken():
    bench = Bench().started()
    bench.here.send(frame(target=bytes.fromhex("020000000009")))
    bench.here.send(frame(target=bytes.fromhex("011b19000000")))
    bench.run(20_000)
    assert bench.there.received() == []
    # the address's place in the table, as igb_hash_mc_addr computes it
    bench.there.write(r.MTA, 1)
    bench.here.send(frame(target=bytes.fromhex("011b19000000")))
    bench.here.send(frame(target=b"\xff" * 6))
    bench.run(20_000)
    assert len(bench.there.received()) == 2


def test_vlans_that_are_not_admitted_are_dropped():
    bench = Bench().started()
    bench.there.write(r.RCTL, bench.there.read(r.RCTL) | r.RCTL_VFE)
    bench.there.write(r.VFTA, 1 << 3)
    for vlan in (3, 4):
        bench.here.send(frame(), context=launch_context(0, tag=vlan), flags=1 << 30)
    bench.run(20_000)
    assert [vlan for _, _, vlan in bench.there.received()] == [3]


def test_checksums_are_inserted_and_found_right():
    bench = Bench().started()
    bench.here.send(udp(100), context=launch_context(0, mac=14, ip=20), options=0x300)
    bench.run(20_000)
    ((data, status, _),) = bench.there.received()
    assert status & 0x50 == 0x50
    assert ones_complement_sum(data[14:34]) == 0xFFFF


def test_a_large_tcp_packet_is_cut_into_segments_that_check():
    payload = bytes(range(256)) * 20
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1_000_000, 5, 5 << 4, 0x19, 512, 0, 0)
    packet = ip_packet(6, tcp + payload, 16, without_length=True)
    bench = Bench().started()
    context = launch_context(0, mac=14, ip=20, l4=20, kind=0xC00, segment=1448)
    bench.here.send(packet, context=context, flags=1 << 31, options=0x300)
    bench.run(1_000_000)
    received = bench.there.received()
    assert [status & 0x60 for _, status, _ in received] == [0x60] * 4
    assert b"".join(data[54:] for data, _, _ in received) == payload
    offsets = [struct.unpack_from("!I", data, 38)[0] - 1_000_000 for data, _, _ in received]
    assert offsets == [0, 1448, 2896, 4344]
    assert [data[47] & 0x09 for data, _, _ in received] == [0, 0, 0, 0x09]


def test_a_jumbo_frame_takes_several_buffers():
    bench = Bench().started()
    payload = bytes(range(256)) * 35
    bench.here.send(frame(payload))
    bench.run(100_000)
    received = bench.there.received()
    assert b"".join(data for data, _, _ in received) == frame(payload)
    assert [status & END for _, status, _ in received] == [1] * 4 + [3]


def test_frames_wait_for_buffers_until_the_packet_buffer_is_full_and_then_are_counted():
    bench = Bench().started(receive_buffers=2)
    for _ in range(13):
        bench.here.send(frame(b"x" * 1486))
    bench.run(10_000_000)
    assert len(bench.there.received()) == 2
    bench.there.write(r.RDT, 15)
    assert len(bench.there.received()) == 13
    assert bench.there.read(0x4010) == 0
    for _ in range(2):
        for _ in range(14):
            bench.here.send(frame(b"y" * 1486))
        bench.run(10_000_000)
    assert bench.there.read(0x4010) > 0


def test_a_queue_that_drops_counts_its_own():
    bench = Bench().started(receive_buffers=2)
    bench.there.write(r.SRRCTL, 2 | r.SRRCTL_DROP)
    for _ in range(5):
        bench.here.send(frame())
    bench.run(100_000)
    assert bench.there.read(r.RQDPC) == 3


def test_counters_are_cleared_by_reading_and_their_upper_half_is_read_last():
    bench = Bench().started()
    for _ in range(3):
        bench.here.send(frame())
    bench.run(100_000)
    for driver, packets, octets in ((bench.here, 0x4080, 0x4090), (bench.there, 0x4074, 0x4088)):
        assert [driver.read(packets), driver.read(packets)] == [3, 0]
        assert [driver.read(octets), driver.read(octets + 4), driver.read(octets)] == [3 * 64, 0, 0]


def test_a_garbled_frame_is_counted_and_not_received():
    bench = Bench(loss=0.999999, seed=3).started()
    bench.here.send(frame())
    bench.run(100_000)
    assert bench.there.received() == []
    assert bench.there.read(0x4000) == 1


def test_jitter_delays_frames_and_keeps_their_order():
    bench = Bench(jitter_ns=5_000, seed=1).started()
    stamps(bench.there)
    sent = []
    for number in range(12):
        bench.here.send(frame(bytes([number])))
        sent.append(bench.now)
        bench.run(700)
    bench.run(100_000)
    received = bench.there.received()
    assert [data[30] for data, _, _ in received] == list(range(12))
    assert len({seconds(data) - at for (data, _, _), at in zip(received, sent, strict=True)}) > 3


@pytest.mark.parametrize(
    "words",
    [
        struct.pack("<QII", 1 << 40, 0x2B30003C, 0),
        struct.pack("<QII", 0x80000, 0x0B00003C, 0),
        struct.pack("<QII", 0x80000, 0x2B70003C, 0),
        struct.pack("<QII", 0x80000, 0x2B300005, 0),
        struct.pack("<QII", 0x80000, 0xAB30003C, 0),
    ],
    ids=["address", "legacy", "type", "short", "segments"],
)
def test_a_malformed_descriptor_is_an_error_that_names_queue_and_descriptor(words):
    bench = Bench().started()
    bench.memory.write(bench.here.ring(0, 0), words)
    with pytest.raises(DeviceError, match="transmit queue 0, descriptor 0"):
        bench.here.write(r.TDT, 1)


def test_a_device_that_is_gone_reads_as_ones_and_takes_the_link_down():
    bench = Bench().started()
    bench.here.nic.die()
    bench.run(1_000_000)
    assert bench.here.read(r.STATUS) == 0xFFFFFFFF
    assert bench.here.nic.read_config(0, 4) == 0xFFFFFFFF
    assert bench.there.read(r.STATUS) & r.STATUS_LU == 0
    bench.here.send(frame())
    bench.run(1_000_000)
    assert bench.there.received() == []


def test_stamps_can_be_lost_and_late():
    bench = Bench().started()
    stamps(bench.here)
    bench.here.nic.timesync.lost = 1
    bench.here.nic.timesync.late_ns = 5_000_000
    for seen in (0, 1):
        bench.here.send(frame(), flags=1 << 19)
        bench.run(4_000_000)
        assert bench.here.read(r.TSYNCTXCTL) & 1 == 0
        bench.run(4_000_000)
        assert bench.here.read(r.TSYNCTXCTL) & 1 == seen


REGISTERS = [r.of_queue(register, queue) for register in (r.TDBAL, r.TDLEN, r.TDT, r.TXDCTL, r.RDBAL, r.RDLEN, r.RDT,
             r.SRRCTL, r.RXDCTL) for queue in range(4)]  # fmt: skip
REGISTERS += [r.CTRL, r.RCTL, r.TCTL, r.MDIC, r.TQAVCTRL, r.TQAVCC0, r.TIMINCA, r.SYSTIML, r.SYSTIMH, r.EIMS, r.EICS]
REGISTERS += [r.IVAR0, r.IVAR_MISC, r.MRQC, r.RLPML, r.RXPBS, r.TSYNCTXCTL, r.TSYNCRXCTL, r.LAUNCH_OS0, r.EITR0]


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False))
def test_whatever_a_driver_writes_time_goes_on_or_it_is_an_error(chance):
    bench = Bench().started()
    qav(bench.here)
    with suppress(DeviceError):
        for _ in range(60):
            if chance.random() < 0.3:
                at = chance.choice([bench.here.ring(0, 0), bench.here.ring(0, 1), bench.here.ring(1, 0)])
                command = chance.choice([0x2B300000, 0x20200000, 0xAB380000, 0x6B300000]) | chance.getrandbits(11)
                words = chance.choice([0x80000, chance.getrandbits(64)]), command, chance.getrandbits(32)
                bench.memory.write(at + 16 * chance.randrange(16), struct.pack("<QII", *words))
            value = chance.choice([chance.getrandbits(32), chance.getrandbits(4), 1 << chance.randrange(32)])
            bench.here.nic.write(0, chance.choice(REGISTERS), 4, value)
            bench.here.nic.read(0, 4 * chance.getrandbits(15), 4)
            bench.there.send(frame())
            bench.run(chance.choice([0, 1_000, 1_000_000]))
    assert bench.agenda.next_ns >= bench.now

"""pcap and pcapng: both byte orders and resolutions, tags, cooked captures, damage, and nanoseconds kept."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsnlab.errors import ConfigError
from tsnlab.formats import frames, pcap, window
from tsnlab.formats.chunk import Chunk, joined
from tsnlab.formats.frames import PcapSource
from tsnlab.formats.payload import NETLATENCY, SAMPLE_APP, Payload, load

FUZZ = int(os.environ.get("TSNLAB_FUZZ", "60"))
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
BASE = 1_588_076_872_000_000_001
MAC = bytes(6)


def payload(seq: int, stream: int = 1, before: int = 0) -> bytes:
    start = BASE + seq * 2_000_000
    stamps = (start, start + 1, start + 3119, before, before)
    head = struct.pack("<BBIHHI", 1, stream, seq, 2000, 0, 0)
    return head + b"".join(struct.pack("<qq", *divmod(stamp, 10**9)) for stamp in stamps)


def ethernet(protocol: int, content: bytes, *tags: int) -> bytes:
    tagged = b"".join(struct.pack(">HH", tag, 0xC003) for tag in tags)
    return MAC + MAC + tagged + struct.pack(">H", protocol) + content


def datagram(port: int, content: bytes, options: int = 0, protocol: int = 17, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45 + options, 0, 0, 0, fragment, 64, protocol, 0) + bytes(8 + 4 * options)
    return head + struct.pack(">HHHH", 4800, port, 8 + len(content), 0) + content


def arrival(seq: int) -> int:
    return BASE + seq * 2_000_000 + 1_253_188


def pcap_bytes(listed: list[tuple[int, bytes]], order: str = "<", ns: bool = True, link: int = 1) -> bytes:
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if ns else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for time, frame in listed:
        seconds, rest = divmod(time, 10**9)
        out += struct.pack(order + "IIII", seconds, rest if ns else rest // 1000, len(frame), len(frame)) + frame
    return out


def block(order: str, kind: int, content: bytes) -> bytes:
    content += bytes(-len(content) % 4)
    size = struct.pack(order + "I", 12 + len(content))
    return struct.pack(order + "I", kind) + size + content + size


def pcapng_bytes(listed: list[tuple[int, bytes]], order: str = "<", resolution: int = 9, offset: int = 0) -> bytes:
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHBxxxHHqHH", 9, 1, resolution, 14, 8, offset, 0, 0)
    out = section + block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + options)
    for time, frame in listed:
        time -= offset * 10**9
        ticks = (time << (resolution & 127)) // 10**9 if resolution & 128 else time * 10**resolution // 10**9
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFF_FFFF, len(frame), len(frame))
        out += block(order, 6, head + frame)
    return out


def read(path: Path, content: bytes, what: Payload = NETLATENCY, **options: object) -> tuple[Chunk, PcapSource]:
    path.write_bytes(content)
    source = PcapSource(path, what, **options)  # type: ignore[arg-type]
    return joined(list(source.chunks())), source


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [3, 500])
def test_both_byte_orders_of_pcap_keep_nanoseconds(tmp_path: Path, order: str, count: int) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(count)]
    chunk, source = read(tmp_path / "x.pcap", pcap_bytes(listed, order))
    assert chunk.columns["rx_kernel"].tolist() == [time for time, _ in listed]
    assert chunk.columns["tx_program"].tolist() == [BASE + seq * 2_000_000 + 3119 for seq in range(count)]
    assert (source.about.cycle_ns, bool(source.damage)) == (2_000_000, False)


def test_microseconds_are_read_as_what_they_are(tmp_path: Path) -> None:
    chunk, _ = read(tmp_path / "x.pcap", pcap_bytes([(arrival(0), ethernet(0x0808, payload(0)))], ns=False))
    assert chunk.columns["rx_kernel"].tolist() == [arrival(0) // 1000 * 1000]


@pytest.mark.parametrize(
    ("order", "resolution", "offset"), [("<", 9, 0), (">", 9, 5), ("<", 6, 0), ("<", 0x80 + 30, 0)]
)
@pytest.mark.parametrize("count", [3, 500])
def test_pcapng_of_any_resolution(tmp_path: Path, order: str, resolution: int, offset: int, count: int) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(count)]
    chunk, source = read(tmp_path / "x.pcapng", pcapng_bytes(listed, order, resolution, offset))
    step = 1 if resolution in (9, 0x80 + 30) else 1000
    assert np.abs(chunk.columns["rx_kernel"] - [time for time, _ in listed]).max() <= (step if resolution != 9 else 0)
    assert not source.damage


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [3, 500])
def test_the_obsolete_block_of_pcapng_is_read_as_well(tmp_path: Path, order: str, count: int) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(count)]
    out = pcapng_bytes([], order)
    for place, (time, frame) in enumerate(listed):
        head = struct.pack(order + "HHIIII", 0, place, time >> 32, time & 0xFFFF_FFFF, len(frame), len(frame))
        out += block(order, 2, head + frame)
    chunk, source = read(tmp_path / "x.pcapng", out)
    assert chunk.columns["rx_kernel"].tolist() == [time for time, _ in listed]
    assert not source.damage


def six(content: bytes, *extensions: int) -> bytes:
    """A datagram to port 4800 in an IPv6 packet; extensions are hop-by-hop (0) and so on; 44 is a later fragment."""
    following = [*extensions, 17]
    head = struct.pack(">IHBB", 6 << 28, 0, following[0], 64) + bytes(32)
    for kind, after in zip(extensions, following[1:], strict=True):
        head += struct.pack(">BBH", after, 0 if kind == 44 else 1, 8 if kind == 44 else 0) + bytes(
            4 if kind == 44 else 12
        )
    return head + struct.pack(">HHHH", 4800, 4800, 8 + len(content), 0) + content


def test_datagrams_over_ipv6_are_read_beside_those_over_ipv4(tmp_path: Path) -> None:
    sent = [struct.pack("<IIQ", seq, 0x16, BASE + seq * 2_000_000) for seq in range(7)]
    listed = [
        ethernet(0x0800, datagram(4800, sent[0])),
        ethernet(0x86DD, six(sent[1])),
        ethernet(0x86DD, six(sent[2], 0), 0x8100),
        ethernet(0x86DD, six(sent[3], 0, 60)),
        ethernet(0x86DD, six(sent[4], 44)),
        ethernet(0x86DD, six(sent[5])[:44]),
        ethernet(0x0800, datagram(4800, sent[6], options=2)),
    ]
    frames_ = [(arrival(seq), frame) for seq, frame in enumerate(listed)]
    chunk, source = read(tmp_path / "x.pcap", pcap_bytes(frames_), SAMPLE_APP, cycle_ns=2_000_000)
    assert chunk.columns["seq"].tolist() == [0, 1, 2, 3, 6]
    assert (source.others, bool(source.damage)) == (2, False)


def test_vlan_and_qinq_tags_are_passed_over_and_other_traffic_too(tmp_path: Path) -> None:
    kinds: list[Callable[[int], bytes]] = [
        lambda seq: ethernet(0x0808, payload(seq)),
        lambda seq: ethernet(0x0808, payload(seq), 0x8100),
        lambda seq: ethernet(0x0808, payload(seq), 0x88A8, 0x8100),
        lambda seq: ethernet(0x88F7, bytes(50)),
        lambda seq: bytes(9),
    ]
    listed = [(arrival(seq), kinds[seq % 5](seq)) for seq in range(1000)]
    chunk, source = read(tmp_path / "x.pcap", pcap_bytes(listed))
    assert chunk.columns["seq"].tolist() == [seq for seq in range(1000) if seq % 5 < 3]
    assert source.others == 400
    assert not source.damage


@pytest.mark.parametrize(("link", "head"), [(113, bytes(14) + b"\x08\x08"), (276, b"\x08\x08" + bytes(18))])
def test_cooked_captures(tmp_path: Path, link: int, head: bytes) -> None:
    chunk, _ = read(tmp_path / "x.pcap", pcap_bytes([(arrival(4), head + payload(4))], link=link))
    assert chunk.columns["seq"].tolist() == [4]


def test_the_sample_application_gets_its_cycles_from_the_base_time(tmp_path: Path) -> None:
    sent = BASE - 1 + 5 * 2_000_000 + 3_119
    content = struct.pack("<IIQ", 5, 0x16, sent)
    udp = ethernet(0x0800, datagram(4800, content), 0x8100)
    others = [
        ethernet(0x0800, datagram(*one)) for one in ((53, content), (4800, content, 0, 6), (4800, content, 0, 17, 9))
    ]
    listed = [(sent + 1_250_000, udp), *((sent, other) for other in others)]
    listed.append((sent + 9, ethernet(0x0800, datagram(4800, struct.pack("<IIQ", 6, 0x16, sent), options=2))))
    chunk, source = read(tmp_path / "x.pcap", pcap_bytes(listed), SAMPLE_APP, cycle_ns=2_000_000, base_ns=BASE - 1)
    assert chunk.columns["seq"].tolist() == [5, 6]
    assert (chunk.columns["tx_program"] - chunk.columns["interval_start"]).tolist() == [3_119, 3_119]
    assert source.others == 3


def test_a_payload_that_the_user_describes(tmp_path: Path) -> None:
    description = tmp_path / "own.yaml"
    description.write_text(
        "ethertype: 0xb62c\nfields:\n  seq: {at: 4, type: u32, order: big}\n"
        "  tx_program: {at: 8, type: u64, ns: 1000}\n  stream: {at: 0, type: u8}\n"
    )
    frame = ethernet(0xB62C, struct.pack("<B3x", 9) + struct.pack(">I", 77) + struct.pack("<Q", 1_000_001))
    chunk, _ = read(tmp_path / "x.pcap", pcap_bytes([(arrival(0), frame)]), load(description))
    assert [chunk.columns[name][0] for name in ("stream", "seq", "tx_program")] == [9, 77, 1_000_001_000]


@pytest.mark.parametrize("text", ["", "fields: {}", "ethertype: 1\nfields: {seq: {at: 0, type: u9}}", "]["])
def test_a_wrong_description_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        load(tmp_path / "own.yaml")


def test_times_of_the_packet_before_go_to_that_packet(tmp_path: Path) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq, before=arrival(seq) if seq else 0))) for seq in range(3)]
    chunk, _ = read(
        tmp_path / "x.pcap", pcap_bytes(listed), columns=("stream", "seq", "interval_start", "tx_kernel_netsched")
    )
    assert chunk.columns["tx_kernel_netsched"].tolist() == [arrival(1), arrival(2), 0]


packet = st.tuples(st.integers(0, 255), st.integers(0, (1 << 32) - 1), *[st.integers(0, (1 << 62) - 1)] * 3)


@same_folder
@given(st.lists(st.tuples(packet, st.integers(1, ((1 << 32) - 1) * 10**9)), max_size=80))
def test_writing_and_reading_frames_is_the_identity(tmp_path: Path, listed: list) -> None:  # type: ignore[type-arg]
    names = ("stream", "seq", "interval_start", "tx_wakeup", "tx_program", "rx_hardware")
    table = np.array([(*row, time) for row, time in listed], dtype=np.int64).reshape(len(listed), 6)
    chunk = Chunk({name: table[:, place].copy() for place, name in enumerate(names)})
    path = frames.write([chunk], tmp_path / "x.pcap", interval_us=2000, arrival="rx_hardware")
    again = joined(list(PcapSource(path, arrival="rx_hardware", columns=names).chunks()))
    for name in names:
        assert again.columns.get(name, np.zeros(len(again), np.int64)).tolist() == chunk.columns[name].tolist()


def test_a_file_that_ends_early_gives_its_whole_records(tmp_path: Path) -> None:
    whole = pcap_bytes([(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(200)])
    chunk, source = read(tmp_path / "x.pcap", whole[:-30])
    assert len(chunk) == 199
    assert f"byte {len(whole) - 124}" in source.damage.flaws[0]
    whole = pcapng_bytes([(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(200)])
    chunk, source = read(tmp_path / "x.pcapng", whole[:-30])
    assert (len(chunk), source.damage.dropped) == (199, 1)


@pytest.mark.parametrize("make", [pcap_bytes, pcapng_bytes])
def test_reading_goes_on_after_damage_and_says_where(tmp_path: Path, make: Callable[..., bytes]) -> None:
    whole = bytearray(make([(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(400)]))
    place = bytes(whole).index(payload(300)) - 40
    whole[place : place + 60] = b"\xff" * 60
    chunk, source = read(tmp_path / "x.pcap", bytes(whole))
    assert 396 <= len(chunk) < 400
    assert chunk.columns["seq"][-1] == 399
    assert "byte" in source.damage.flaws[0]


def test_a_record_with_an_impossible_time_is_skipped_within_a_run(tmp_path: Path) -> None:
    place = 24 + 300 * (16 + 14 + len(payload(0))) + 7
    whole = bytearray(pcap_bytes([(arrival(seq), ethernet(0x0808, payload(seq))) for seq in range(400)]))
    whole[place] = 0xFF
    chunk, source = read(tmp_path / "x.pcap", bytes(whole))
    assert chunk.columns["seq"].tolist() == [seq for seq in range(400) if seq != 300]
    assert f"byte {place - 7}:" in source.damage.flaws[0]


def test_frames_cut_by_the_snap_length_are_counted(tmp_path: Path) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq))[:60]) for seq in range(3)]
    chunk, source = read(tmp_path / "x.pcap", pcap_bytes(listed))
    assert (len(chunk), source.damage.dropped) == (0, 3)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="byte 0"):
        read(tmp_path / "x.pcap", b"hello, world")
    with pytest.raises(ConfigError, match="No such file"):
        PcapSource(tmp_path / "none.pcap")


def test_a_capture_longer_than_the_buffer_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [(arrival(seq), ethernet(0x0808, payload(seq)) + bytes(seq % 7)) for seq in range(3000)]
    whole, _ = read(tmp_path / "x.pcap", pcap_bytes(listed))
    monkeypatch.setattr(frames, "Window", lambda file: window.Window(file, 5000))
    parts, source = read(tmp_path / "x.pcap", pcap_bytes(listed))
    assert parts.columns["seq"].tolist() == whole.columns["seq"].tolist() == list(range(3000))
    assert not source.damage


WHOLE = [(arrival(seq), ethernet(0x0808, payload(seq), *[0x8100] * (seq % 3))) for seq in range(6)]
WHOLE += [(arrival(seq), ethernet(0x0800, datagram(4800, struct.pack("<IIQ", 6, 0x16, BASE)))) for seq in range(3)]
BEGINNINGS = (pcap_bytes(WHOLE), pcap_bytes(WHOLE, ">", False), pcapng_bytes(WHOLE), pcapng_bytes(WHOLE, ">", 0x8A))


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_never_stops_the_reader(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(BEGINNINGS)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(whole)))
        whole[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    what = data.draw(st.sampled_from([NETLATENCY, SAMPLE_APP]))
    cycle_ns = data.draw(st.sampled_from([0, 2_000_000]))
    # a file whose very beginning is damaged is refused, with a reason
    with contextlib.suppress(ConfigError):
        chunk, _ = read(tmp_path / "x.pcap", bytes(whole), what, cycle_ns=cycle_ns)
        assert len(chunk) <= 12


def test_pcap_refuses_times_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pcap.write([(-1, b"")], tmp_path / "x.pcap")

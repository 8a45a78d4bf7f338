"""The conversation with the guest's kernel: what it says rightly, and whatever else could come over the socket."""

import os
import random
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsnlab.errors import DeviceError
from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.vhost import Endpoint, Operation, Request

MEMORY = 1 << 20
RINGS = {0: (0x1000, 0x2000, 0x3000), 1: (0x4000, 0x5000, 0x6000)}
SIZE = 8


class Function:
    """A device of one window of memory."""

    name = "node1:eth1"

    def __init__(self):
        self.space = bytearray(4096)
        self.config = bytearray(4096)

    def attach(self, endpoint, memory):
        self.endpoint = endpoint

    def read_config(self, offset, size):
        return int.from_bytes(self.config[offset : offset + size], "little")

    def write_config(self, offset, size, value):
        self.config[offset : offset + size] = value.to_bytes(size, "little")

    def read(self, bar, offset, size):
        return int.from_bytes(self.space[offset & 0xFFF :][:size], "little")

    def write(self, bar, offset, size, value):
        for index, byte in enumerate(value.to_bytes(size, "little")):
            self.space[(offset + index) & 0xFFF] = byte


class Guest:
    """The front end, as virtio_uml.c is one."""

    def __init__(self, folder):
        self.function = Function()
        self.now = 0
        self.agenda = Agenda(lambda: self.now)
        self.endpoint = Endpoint(folder / "socket", self.function, self.agenda)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(folder / "socket"))
        self.socket.settimeout(5)
        self.endpoint.accept()
        self.memory_file = os.memfd_create("guest")
        os.truncate(self.memory_file, MEMORY)
        self.requests, self.device_end = socket.socketpair()
        self.taken = [0, 0]

    def say(self, request, payload=b"", descriptors=(), flags=9):
        socket.send_fds(self.socket, [struct.pack("<III", request, flags, len(payload)) + payload], list(descriptors))
        assert self.endpoint.serve()

    def ask(self, request, payload=b"", descriptors=()):
        self.say(request, payload, descriptors)
        return struct.unpack("<IIIQ", self.socket.recv(20))[3]

    def set_up(self):
        assert self.ask(Request.GET_FEATURES) == 1 << 32 | 1 << 30
        assert self.ask(Request.GET_PROTOCOL_FEATURES) == 0x4028
        self.ask(Request.SET_FEATURES, struct.pack("<Q", 1 << 32 | 1 << 30))
        self.ask(Request.SET_SLAVE_REQ_FD, b"", [self.device_end.fileno()])
        region = struct.pack("<IIQQQQ", 1, 0, 0x1000, MEMORY - 0x1000, 0x1000, 0x1000)
        self.ask(Request.SET_MEM_TABLE, region, [self.memory_file])
        for index, (descriptors, available, used) in RINGS.items():
            self.ask(Request.SET_VRING_NUM, struct.pack("<II", index, SIZE))
            self.ask(Request.SET_VRING_ADDR, struct.pack("<IIQQQQ", index, 0, descriptors, used, available, 0))
        return self

    def put(self, address, data):
        os.pwrite(self.memory_file, data, address)

    def offer(self, index, *buffers):
        """Makes a chain of (address, length, writable) available."""
        descriptors, available, _ = RINGS[index]
        for number, (address, length, writable) in enumerate(buffers):
            flags = (number + 1 < len(buffers)) | 2 * writable
            self.put(descriptors + 16 * number, struct.pack("<QIHH", address, length, flags, number + 1))
        self.put(available + 4 + 2 * (self.taken[index] % SIZE), struct.pack("<H", 0))
        self.taken[index] += 1
        self.put(available + 2, struct.pack("<H", self.taken[index]))

    def command(self, operation, offset, size, data=b"", bar=0):
        self.put(0x8000, struct.pack("<BBHIQ", operation, bar, 0, size, offset) + data)
        answer = () if data else ((0x9000, size, True),)
        self.offer(0, (0x8000, 16 + len(data), False), *answer)
        assert self.ask(Request.VRING_KICK, struct.pack("<II", 0, 0)) == 0
        return int.from_bytes(os.pread(self.memory_file, size, 0x9000), "little")

    def close(self):
        self.endpoint.close()
        for end in (self.socket, self.requests, self.device_end):
            end.close()
        os.close(self.memory_file)


@pytest.fixture
def guest(tmp_path):
    guest = Guest(tmp_path)
    yield guest
    guest.close()


def test_registers_are_written_and_read_within_one_kick(guest):
    guest.set_up()
    guest.command(Operation.MMIO_WRITE, 0x10, 4, struct.pack("<I", 0xCAFE))
    assert guest.command(Operation.MMIO_READ, 0x10, 4) == 0xCAFE
    guest.command(Operation.CFG_WRITE, 4, 8, struct.pack("<Q", 6))
    assert guest.command(Operation.CFG_READ, 4, 2) == 6
    guest.command(Operation.MMIO_MEMSET, 0x20, 8, b"\x55")
    assert guest.command(Operation.MMIO_READ, 0x20, 8) == 0x5555555555555555


def test_an_interrupt_is_a_message_in_a_buffer_of_the_guests_and_waits_for_one(guest):
    guest.set_up()
    guest.requests.settimeout(5)
    guest.requests.sendall(struct.pack("<IIIQ", 4, 5, 8, 0))
    guest.offer(1, (0xA000, 20, True))
    guest.endpoint.interrupt(42)
    assert struct.unpack("<IIIII", guest.requests.recv(20)) == (4, 9, 8, 1, 0)
    assert os.pread(guest.memory_file, 20, 0xA000) == struct.pack("<BBHIQI", Operation.MSI, 0, 0, 4, 0, 42)
    guest.endpoint.interrupt(43)
    guest.offer(1, (0xB000, 20, True))
    guest.ask(Request.VRING_KICK, struct.pack("<II", 1, 0))
    guest.requests.sendall(struct.pack("<IIIQ", 4, 5, 8, 0))
    guest.agenda.happen()
    assert os.pread(guest.memory_file, 20, 0xB000)[-4:] == struct.pack("<I", 43)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda g: g.say(99), "message 99"),
        (lambda g: g.say(1, flags=2), "flags 0x2"),
        (lambda g: g.say(Request.SET_VRING_NUM, struct.pack("<II", 7, 8)), "virtqueue 7"),
        (lambda g: g.say(Request.SET_VRING_NUM, b"abc"), "3 bytes"),
        (lambda g: g.say(Request.SET_FEATURES, struct.pack("<Q", 1)), "features"),
        (lambda g: g.say(Request.SET_SLAVE_REQ_FD), "without the file"),
        (lambda g: g.say(Request.VRING_KICK, struct.pack("<II", 0, 0)), "not set up"),
        (lambda g: g.say(Request.SET_VRING_ADDR, bytes(40)), "before the guest's memory"),
        (lambda g: g.endpoint.interrupt(1), "before the guest's driver"),
    ],
)
def test_a_malformed_message_is_an_error_that_names_the_device(guest, wrong, said):
    with pytest.raises(DeviceError, match=f"node1:eth1: .*{said}"):
        wrong(guest)


@pytest.mark.parametrize(
    ("buffers", "said"),
    [
        ([(0x8000, 16, False), (1 << 40, 8, True)], "not in the guest's memory"),
        ([(0x8000, 8, False)], "a PCI command of 8 bytes"),
        ([(0x9000, 4, True)], "a PCI command of 0 bytes"),
        ([(0x8000, 16, False)], "no room"),
    ],
)
def test_a_malformed_chain_is_an_error(guest, buffers, said):
    guest.set_up()
    guest.put(0x8000, struct.pack("<BBHIQ", Operation.MMIO_READ, 0, 0, 4, 0))
    guest.offer(0, *buffers)
    with pytest.raises(DeviceError, match=said):
        guest.say(Request.VRING_KICK, struct.pack("<II", 0, 0))


def test_a_chain_that_goes_round_in_a_circle_is_an_error(guest):
    guest.set_up()
    guest.offer(0, (0x8000, 16, False))
    guest.put(RINGS[0][0], struct.pack("<QIHH", 0x8000, 16, 1, 0))
    with pytest.raises(DeviceError, match="circle"):
        guest.say(Request.VRING_KICK, struct.pack("<II", 0, 0))


def test_more_chains_than_descriptors_are_an_error(guest):
    guest.set_up()
    guest.put(RINGS[0][1] + 2, struct.pack("<H", SIZE + 1))
    with pytest.raises(DeviceError, match="9 chains"):
        guest.say(Request.VRING_KICK, struct.pack("<II", 0, 0))


def test_memory_that_is_shorter_than_it_is_said_to_be_is_refused(guest):
    region = struct.pack("<IIQQQQ", 1, 0, 0, 2 * MEMORY, 0, 0)
    with pytest.raises(DeviceError, match="not in the file"):
        guest.say(Request.SET_MEM_TABLE, region, [guest.memory_file])


def test_a_guest_that_takes_no_interrupt_is_noticed(guest, monkeypatch):
    monkeypatch.setattr("tsnlab.virtual.device.vhost.INTERRUPT_WAIT_S", 0.05)
    guest.set_up()
    guest.offer(1, (0xA000, 20, True))
    with pytest.raises(DeviceError, match="takes no interrupt"):
        guest.endpoint.interrupt(42)


@settings(deadline=None, max_examples=300)
@given(st.randoms(use_true_random=False))
def test_whatever_the_guest_says_it_is_answered_or_an_error(tmp_path_factory, chance):
    guest = Guest(tmp_path_factory.mktemp("guest"))
    try:
        if chance.random() < 0.8:
            guest.set_up()
        with suppress(DeviceError):
            disturb(guest, chance)
    finally:
        guest.close()


def disturb(guest: Guest, chance: random.Random) -> None:
    """Rings and commands of noise, then messages, some of them right but for their content."""
    for _ in range(20):
        kind = chance.random()
        if kind < 0.4:
            area = chance.choice([*RINGS[0], *RINGS[1], 0x8000])
            guest.put(area, chance.randbytes(chance.choice([2, 4, 16, 64, 128])))
        elif kind < 0.6:
            guest.put(
                RINGS[0][1], struct.pack("<HH8H", 0, chance.randrange(9), *(chance.randrange(9) for _ in range(8)))
            )
        elif kind < 0.8:
            guest.put(
                0x8000, struct.pack("<BBHIQ", chance.randrange(9), chance.randrange(8), 0, 4, chance.getrandbits(40))
            )
            guest.offer(0, (0x8000, 16, False), (0x9000, chance.randrange(9), True))
        request = chance.choice([*Request, 35, 35, 35, chance.getrandbits(8)])
        payload = chance.randbytes(chance.choice([0, 8, 8, 40])) if chance.random() < 0.3 else struct.pack("<II", 0, 0)
        guest.say(request, payload)

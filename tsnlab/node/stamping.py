"""What an interface stamps of the frames it sends and receives: read, or set.

usage: stamping.py read INTERFACE          prints {"tx", "rx"}: hwtstamp_config's tx_type and rx_filter
       stamping.py set INTERFACE TX RX     sets them, and prints what the driver has made of them

Source: Documentation/networking/timestamping.rst, section 3; include/uapi/linux/net_tstamp.h. A driver may take a more
general filter than it was asked for, and prints that.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
import sys

import wire

SIOCSHWTSTAMP, SIOCGHWTSTAMP = 0x89B0, 0x89B1
FILTER_ALL = 1


def control(request: int, interface: str, tx_type: int = 0, rx_filter: int = 0) -> tuple[int, int]:
    """One call about ``struct hwtstamp_config``; gives tx_type and rx_filter, or raises OSError."""
    config = array.array("i", [0, tx_type, rx_filter])
    argument = struct.pack("16sP16x", interface.encode(), config.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anyone:
        fcntl.ioctl(anyone, request, argument)
    return config[1], config[2]


def stamp_all(interface: str) -> bool:
    """Has every received frame stamped; False if the interface cannot.

    What it stamps of sent frames is left as it is: ptp4l, which runs on the same interface, needs them.
    """
    try:
        tx_type, rx_filter = control(SIOCGHWTSTAMP, interface)
        if rx_filter != FILTER_ALL:
            _, rx_filter = control(SIOCSHWTSTAMP, interface, tx_type, FILTER_ALL)
    except OSError:
        return False
    return rx_filter == FILTER_ALL


def main() -> None:
    """Does what the command line says."""
    command, interface, *numbers = sys.argv[1:]
    request = SIOCSHWTSTAMP if command == "set" else SIOCGHWTSTAMP
    try:
        tx_type, rx_filter = control(request, interface, *map(int, numbers))
    except OSError as error:
        sys.exit("%s: %s" % (interface, error.strerror))
    wire.say(tx=tx_type, rx=rx_filter)


if __name__ == "__main__":
    main()

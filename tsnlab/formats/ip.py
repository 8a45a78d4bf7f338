"""What an IP packet carries and where that begins, for many frames at once (RFC 791; RFC 8200, section 4)."""

from __future__ import annotations

import numpy as np

from tsnlab.formats.chunk import Integers
from tsnlab.formats.window import Frames

ETHERTYPES = (0x0800, 0x86DD)
UDP = 17
NOTHING = -1
_EXTENSIONS = (0, 43, 60)  # hop-by-hop options, routing, destination options: all with their length in the same place
_FRAGMENT = 44
_MOST_EXTENSIONS = 6


def carried(frames: Frames, at: Integers) -> tuple[Integers, Integers]:
    """The protocol in the IP packet of each frame, and where its header begins; shapes (n,).

    Args:
        frames: each with its own beginning, and 28 bytes at least from `at` on.
        at: where the IP header begins in each, shape (n,).

    Returns:
        `NOTHING` as the protocol of what is no IP packet, cut short, or a later fragment.
    """
    first = frames.field(at, "u1").astype(np.int64)
    protocol = np.full(len(frames), NOTHING, dtype=np.int64)
    after = at + (first & 15) * 4
    later = frames.field(at + 6, ">u2").astype(np.int64) & 0x1FFF
    four = (first >> 4 == 4) & (later == 0)
    protocol[four] = frames.field(at + 9, "u1").astype(np.int64)[four]
    six = (first >> 4 == 6) & (frames.lengths >= at + 48)
    if six.any():
        protocol[six], after[six] = _after_extensions(frames.where(six).spread(), at[six])
    return protocol, after


def _after_extensions(frames: Frames, at: Integers) -> tuple[Integers, Integers]:
    """Likewise for IPv6, whose header other headers may follow."""
    following = frames.field(at + 6, "u1").astype(np.int64)
    after = at + 40
    for _ in range(_MOST_EXTENSIONS):
        more = (np.isin(following, _EXTENSIONS) | (following == _FRAGMENT)) & (frames.lengths >= after + 8)
        if not more.any():
            break
        ones, places = frames.where(more).spread(), after[more]
        head, length = (ones.field(places + byte, "u1").astype(np.int64) for byte in (0, 1))
        fragment = following[more] == _FRAGMENT
        later = fragment & (ones.field(places + 2, ">u2").astype(np.int64) >> 3 > 0)
        following[more] = np.where(later, NOTHING, head)
        after[more] = places + np.where(fragment, 8, 8 * (length + 1))
    return following, after

"""Marks in a stream of bytes: what sudo and the guard say between what the command says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


class Marks:
    """Takes marks out of a stream of bytes and counts them.

    Args:
        marks: words that nothing else prints, because they are random.
    """

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = [mark.encode() for mark in marks]
        self._pattern = re.compile(b"|".join(re.escape(mark) for mark in self._marks))
        self._held = b""
        self.seen: Counter[str] = Counter()

    def feed(self, data: bytes) -> bytes:
        """What of the bytes is not a mark; the beginning of one is held back until more is known."""
        text = self._pattern.sub(self._count, self._held + data)
        keep = max((self._begun(text, mark) for mark in self._marks), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> bytes:
        """What was held back, once nothing more comes."""
        held, self._held = self._held, b""
        return held

    def _count(self, found: re.Match[bytes]) -> bytes:
        self.seen[found[0].decode()] += 1
        return b""

    @staticmethod
    def _begun(text: bytes, mark: bytes) -> int:
        """How many bytes at the end of the text are the beginning of a mark."""
        return next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)

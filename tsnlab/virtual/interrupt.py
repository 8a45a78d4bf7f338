"""Ctrl-C at a moment of our choosing: never between a byte that was read and the place where it is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed while it was held back."""

    requested = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.requested = True


@contextmanager
def held_back() -> Iterator[Interrupt]:
    """Keeps SIGINT from raising inside the block; the handler of before gets it when the block is left.

    Only the main thread is interrupted by Ctrl-C at all: elsewhere nothing is held back.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt.note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupt.requested:
            signal.raise_signal(signal.SIGINT)

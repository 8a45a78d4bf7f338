"""Periodic disturbance: the power spectrum of the jitter, averaged over blocks of packets (Welch, 1967).

The samples are the packets in the order of the file, one for each cycle; a lost packet shifts those after it
by one sample, which widens a line but does not hide it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

BLOCK = 8192
_LEAST = 64
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A periodic disturbance: its frequency, its period in packets, its amplitude and how far it stands out.

    `above_floor` is its power over the median power, in decibels. With Hann's window, the amplitude of a
    line between two bins is seen up to 15 % too small.
    """

    frequency_hz: float
    period_packets: float
    amplitude_ns: float
    above_floor_db: float


class Spectrum:
    """Sums the power of blocks of `BLOCK` packets; the blocks are the same for any grouping of the values."""

    def __init__(self) -> None:
        self._power: Floats = np.zeros(BLOCK // 2 + 1)
        self._blocks = 0
        self._rest: list[Integers] = []
        self._held = 0

    def add(self, values: Integers) -> None:
        """Takes values in nanoseconds, shape (n,)."""
        self._rest.append(values)
        self._held += len(values)
        if self._held < BLOCK:
            return
        joined = np.concatenate(self._rest) if len(self._rest) > 1 else values
        whole = len(joined) // BLOCK * BLOCK
        for block in joined[:whole].reshape(-1, BLOCK):
            # one by one: the sum of floats is then always made in the same order
            self._power += _power(block, _hann(BLOCK))
        self._blocks += whole // BLOCK
        self._rest = [joined[whole:].copy()]
        self._held = len(joined) - whole

    def density(self, cycle_ns: int) -> tuple[Floats, Floats]:
        """Frequencies in hertz and the amplitude spectrum in nanoseconds (peak), shapes (n,), without 0 Hz.

        Empty if there are fewer than 64 packets, or `cycle_ns` is 0.
        """
        power, size = self._average()
        if not size or not cycle_ns:
            return np.zeros(0), np.zeros(0)
        amplitude: Floats = np.asarray(np.sqrt(power) * 2 / float(_hann(size).sum()), dtype=np.float64)
        frequencies: Floats = np.asarray(np.arange(len(power)) * (1e9 / cycle_ns / size), dtype=np.float64)
        return frequencies[1:], amplitude[1:]

    def lines(self, cycle_ns: int, most: int = 5, least_db: float = 15.0) -> list[Line]:
        """The strongest periodic disturbances that stand out of the noise, the strongest first."""
        frequencies, amplitude = self.density(cycle_ns)
        # the first bin holds what is left of the drift
        frequencies, amplitude = frequencies[1:], amplitude[1:]
        floor = float(np.median(amplitude)) if len(amplitude) else 0.0
        if len(amplitude) < 3 or amplitude.max() <= 0:
            return []
        padded = np.concatenate([[0.0], amplitude, [0.0]])
        peaks = np.flatnonzero((amplitude >= padded[:-2]) & (amplitude > padded[2:]))
        found = []
        for peak in peaks[np.argsort(amplitude[peaks])[::-1]][:most].tolist():
            above = 20 * np.log10(amplitude[peak] / max(floor, 1e-6))
            if above >= least_db and amplitude[peak] > 1e-3:
                period = 1e9 / cycle_ns / frequencies[peak]
                found.append(Line(float(frequencies[peak]), float(period), float(amplitude[peak]), float(above)))
        return found

    def _average(self) -> tuple[Floats, int]:
        if self._blocks:
            return self._power / self._blocks, BLOCK
        if self._held < _LEAST:
            return np.zeros(0), 0
        size = 1 << (self._held.bit_length() - 1)
        return _power(np.concatenate(self._rest)[:size], _hann(size)), size


@functools.lru_cache(maxsize=16)
def _hann(size: int) -> Floats:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def _power(block: Integers, window: Floats) -> Floats:
    # small numbers only: seen from the first value, then from the mean of the block
    deltas = (block - block[0]).astype(np.float64)
    deltas -= deltas.mean()
    deltas *= window
    lines = np.fft.rfft(deltas)
    power: Floats = lines.real**2
    power += lines.imag**2
    return power

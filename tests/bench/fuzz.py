"""100 000 damaged inputs, shared out evenly among the formats: no crash, no hang, no memory that grows.

python -m tests.bench.fuzz [INPUTS]
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import captures
from tests.unit import test_logs, test_pcap
from tsnlab.analysis.statistics import Statistics
from tsnlab.errors import ConfigError
from tsnlab.formats import iperf3, iperf3_text, netlatency, parquet, ptp_log, sample_app
from tsnlab.formats.chunk import Source
from tsnlab.formats.frames import PcapSource
from tsnlab.formats.growing import Growing
from tsnlab.formats.isochron import IsochronSource
from tsnlab.formats.log import Log
from tsnlab.formats.netlatency import NetlatencySource
from tsnlab.formats.parquet import ParquetSource
from tsnlab.formats.payload import SAMPLE_APP
from tsnlab.formats.recognise import recognise
from tsnlab.packets import CaptureInfo


def main(inputs: int) -> None:
    """Damages small files of every format at random places, and reads them."""
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        seeds = _seeds(Path(folder))
        target = Path(folder) / "damaged"
        inputs = -(-inputs // len(seeds))
        for name, whole in seeds.items():
            slowest, packets, refused = 0.0, 0, 0
            start = time.perf_counter()
            for _ in range(inputs):
                target.write_bytes(_damaged(whole, rng))
                begin = time.perf_counter()
                try:
                    packets += _read(name, target)
                except ConfigError:
                    refused += 1
                slowest = max(slowest, time.perf_counter() - begin)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            took = time.perf_counter() - start
            print(  # noqa: T201
                f"{name}: {inputs} inputs in {took:.0f} s, {packets} packets or numbers read, {refused} files refused, "
                f"slowest {slowest * 1000:.0f} ms, {memory:.0f} MB",
                flush=True,
            )


def _seeds(folder: Path) -> dict[str, bytes]:
    first = next(captures.pieces(12))
    about = CaptureInfo(lab="x", case="y", cycle_ns=captures.CYCLE, arrival="rx_hardware")
    files = {
        "netlatency": netlatency.write([first], folder / "a", interval_us=2000).read_bytes(),
        "parquet": parquet.write(next(captures.pieces(3000)).to_frame(about), folder / "b").read_bytes(),
    }
    for place, whole in enumerate(test_pcap.BEGINNINGS):
        files[f"pcap {place + 1}"] = whole
    datagrams = [
        (test_pcap.arrival(seq), test_pcap.ethernet(0x86DD, test_pcap.six(bytes(16), 0, 60))) for seq in range(5)
    ]
    files["udp over ipv6"] = test_pcap.pcap_bytes(datagrams)
    said = {"from": "listener", "said": {"packets": [[0, seq, 1, 2, 3, 4, 5, 6] for seq in range(9)]}}
    files["measurement"] = (json.dumps(said) + "\n").encode() * 4
    logs = {
        "ptp": test_logs.PTP,
        "sample-app": test_logs.SAMPLE_LOG,
        "latencies": test_logs.LATENCIES,
        "isochron": test_logs.ISOCHRON,
        "iperf3": test_logs.IPERF_TEXT,
        "iperf3-text": test_logs.IPERF_PRINTED,
    }
    return files | {name: text.encode() for name, text in logs.items()}


def _damaged(whole: bytes, rng: random.Random) -> bytes:
    out = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        kind, place = rng.randrange(4), rng.randrange(len(out) + 1)
        if kind == 0:
            del out[place : place + rng.randint(1, 60)]
        elif kind == 1:
            out[place:place] = rng.randbytes(rng.randint(1, 40))
        elif kind == 2:
            out[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"9999"])
        else:
            for _ in range(rng.randint(1, 8)):
                if out:
                    out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def _read(name: str, path: Path) -> int:
    """Reads a file of a known format, recognised or not."""
    with contextlib.suppress(ConfigError):
        recognise(path)
    if name in _LOGS:
        return sum(len(series.values) for series in _LOGS[name](path).series.values())
    source = _CAPTURES[name.split()[0]](path)
    statistics = Statistics(source.about, counted=source.counted)
    rows = 0
    for chunk in source.chunks():
        statistics.add(chunk)
        rows += len(chunk)
    # what was read has to give numbers as well
    statistics.indicators().to_json()
    return rows


_LOGS: dict[str, Callable[[Path], Log]] = {
    "ptp": ptp_log.read,
    "sample-app": sample_app.read_log,
    "latencies": sample_app.read_latencies,
    "iperf3": iperf3.read,
    "iperf3-text": iperf3_text.read,
}
_CAPTURES: dict[str, Callable[[Path], Source]] = {
    "netlatency": NetlatencySource,
    "parquet": ParquetSource,
    "pcap": lambda path: PcapSource(path, cycle_ns=2_000_000),
    "udp": lambda path: PcapSource(path, SAMPLE_APP, cycle_ns=2_000_000),
    "isochron": IsochronSource,
    "measurement": Growing,
}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

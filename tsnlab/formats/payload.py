"""What is in a measured frame: where the sequence number and the times are, and how such frames are told.

The payload begins after the Ethernet header and its VLAN tags, or after the UDP header.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tsnlab import packets
from tsnlab.errors import ConfigError

Kind = Literal["u8", "u16", "u32", "u64", "i64", "timespec32", "timespec64"]
SIZES: dict[Kind, int] = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "timespec32": 8, "timespec64": 16}


class PayloadField(BaseModel):
    """A field: its first byte, its type, its byte order, and how many nanoseconds one step of it is.

    `timespec64` is the kernel's struct timespec, seconds and nanoseconds of 64 bits each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Annotated[int, Field(ge=0, le=9000)]
    type: Kind
    order: Literal["little", "big"] = "little"
    ns: Annotated[int, Field(ge=1)] = 1


class Payload(BaseModel):
    """How measured frames are told, and their fields by the columns of `packets`, and `interval_us`.

    Exactly one of `ethertype` and `udp_port` (the destination's) tells the frames. `before` are fields that
    describe the packet before this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "own"
    ethertype: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    udp_port: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    fields: dict[str, PayloadField]
    before: dict[str, PayloadField] = {}

    @model_validator(mode="after")
    def _sensible(self) -> Payload:
        if (self.ethertype is None) == (self.udp_port is None):
            raise ValueError("give either ethertype or udp_port")
        if "seq" not in self.fields:
            raise ValueError("the field seq is missing")
        unknown = {*self.fields, *self.before} - {*packets.COLUMNS, "interval_us"}
        if unknown:
            raise ValueError(f"unknown columns {sorted(unknown)}; known are {list(packets.COLUMNS)} and interval_us")
        return self

    @property
    def size(self) -> int:
        """How many bytes of the payload the fields need."""
        return max(one.at + SIZES[one.type] for one in (*self.fields.values(), *self.before.values()))


def _stamp(index: int) -> PayloadField:
    return PayloadField(at=14 + 16 * index, type="timespec64")


# kontron/netlatency, data.h; offsets count from after the EtherType
NETLATENCY = Payload(
    name="netlatency",
    ethertype=0x0808,
    fields={
        "stream": PayloadField(at=1, type="u8"),
        "seq": PayloadField(at=2, type="u32"),
        "interval_us": PayloadField(at=6, type="u16"),
        "interval_start": _stamp(0),
        "tx_wakeup": _stamp(1),
        "tx_program": _stamp(2),
    },
    before={"tx_kernel_netsched": _stamp(3), "tx_kernel_hardware": _stamp(4)},
)
# intel/iotg_tsn_ref_sw, apollolake-i, sample-app-taprio.c: TSN_data
SAMPLE_APP = Payload(
    name="sample-app-taprio",
    udp_port=4800,
    fields={"seq": PayloadField(at=0, type="u32"), "tx_program": PayloadField(at=8, type="u64")},
)
KNOWN: Mapping[str, Payload] = {one.name: one for one in (NETLATENCY, SAMPLE_APP)}


def load(name: str | os.PathLike[str]) -> Payload:
    """A payload that tsnlab knows by its name, or one described in a YAML file.

    Raises:
        ConfigError: there is no such file, or it does not describe a payload.
    """
    if str(name) in KNOWN:
        return KNOWN[str(name)]
    import yaml

    path = Path(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Payload.model_validate(content)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file, or one of {', '.join(KNOWN)}") from error
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not the description of a payload: {error}") from error

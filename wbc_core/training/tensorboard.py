"""TensorBoard's event file of a run, written from its history without TensorFlow.

A file of records as TensorFlow frames them, each an `Event` in the protocol-buffer wire format:

- framing, `tensorflow/core/lib/io/record_writer.h`: length (uint64), its checksum (uint32), data, its
  checksum (uint32), all little-endian; the checksum is CRC-32C (RFC 3720, appendix B.4), then rotated and
  shifted by `mask` in `tensorflow/core/lib/hash/crc32c.h`;
- `tensorflow/core/util/event.proto`: Event {1: wall_time, 2: step, 3: file_version, 5: summary};
- `tensorflow/core/framework/summary.proto`: Summary {1: repeated Value}, Value {1: tag, 2: simple_value}.

The bytes follow from history and start alone. An open TensorBoard reads on where it stopped in the same file,
so a file that is a part of what it should be is written on; the writers of the packages would begin another
file each time a run is resumed.
"""

import struct
from collections.abc import Mapping
from datetime import datetime

from wbc_core.training.runs import history, load_run
from wbc_core.workspace import Workspace

TAGS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second")
"""Columns of the history that TensorBoard shows, one point an epoch."""

FILE_NAME = "events.out.tfevents.wbc"
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_MASK = 0xA282EAD8


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_table_entry(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes.

    Example:
        >>> f"{crc32c(b'123456789'):08x}"
        'e3069283'
    """
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _checksum(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + _MASK) & 0xFFFFFFFF)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _event(wall_time: float, body: bytes) -> bytes:
    return _record(b"\x09" + struct.pack("<d", wall_time) + body)


def _scalars(wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
    summary = b"".join(
        _field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
        for tag, value in values.items()
    )
    return _event(wall_time, b"\x10" + _varint(step) + _field(5, summary))


def write_events(workspace: Workspace, run_id: str) -> None:
    """Bring `tensorboard/` in a run's folder up to its history; doing it twice changes nothing.

    `tensorboard --logdir WORKSPACE/runs` then shows `TAGS` of every run. The step is the epoch, from 1; the
    time is the run's start plus the time spent in epochs, so that a pause does not show as slowness.

    Args:
        workspace: The workspace.
        run_id: Id of the run.

    Raises:
        WbcError: There is no such run, or its files are damaged.
    """
    begun = datetime.fromisoformat(load_run(workspace, run_id).created).timestamp()
    table = history(workspace, run_id)
    times = begun + table["seconds"].cumsum()
    content = _event(begun, _field(3, b"brain.Event:2"))
    for wall_time, row in zip(times, table.to_dict("records"), strict=True):
        content += _scalars(wall_time, int(row["epoch"]), {tag: float(row[tag]) for tag in TAGS})

    path = workspace.run_dir(run_id) / "tensorboard" / FILE_NAME
    there = path.read_bytes() if path.exists() else b""
    if there and content.startswith(there):
        with path.open("ab") as stream:
            stream.write(content[len(there) :])
    elif there != content:
        with workspace.atomic_path(path) as scratch:
            scratch.write_bytes(content)

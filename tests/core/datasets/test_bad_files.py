"""Whatever lies in a folder or archive: left out with a reason, or imported and then found. Never a stop."""

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wbc_core.datasets.store import load_table, open_images
from wbc_core.datasets.synthetic import draw_cells
from wbc_core.workspace import Workspace

REJECTED = {
    "corrupt.png": "is damaged",
    "truncated.jpg": "is damaged",
    "truncated.png": "is damaged",
    "empty.png": "is empty",
    "giant.png": "has more than 40,000,000 pixels",
    "giant.bmp": "has more than 40,000,000 pixels",
    "float.tif": "has 32 bits a channel",
    "notes.txt": "is not a picture",
    "drawing.svg": "is not a picture",
    "script.png": "is not a picture",
}
SAME_AS_THE_CELL = ("animated.gif", "animated.webp", "animated.png", "grey16.png", "grey16.tif", "rgb16.png")
SAME_AS_THE_CELL += ("cmyk.jpg", "palette.png", "really_png.jpg", "really_jpg.png", "really_png.txt")
FOUND = {
    "transparent.png": "low_information",
    "one_pixel.png": "odd_size",
    "sliver.png": "odd_size",
    "twelve_bits.png": "exposure",
}


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _giant_png() -> bytes:
    """A few bytes whose header promises 100,000 x 100,000 pixels."""

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")


def _files(cells: NDArray[np.uint8]) -> dict[str, bytes]:
    cell, other = Image.fromarray(cells[0]), Image.fromarray(cells[1])
    png, jpeg = _encode(cell, "PNG"), _encode(cell, "JPEG", quality=95)
    wide = cells[0].astype(np.uint16)
    grey = cv2.cvtColor(cells[0], cv2.COLOR_RGB2GRAY).astype(np.uint16)
    bitmap = bytearray(_encode(cell, "BMP"))
    bitmap[18:26] = struct.pack("<ii", 100_000, 100_000)
    clear = np.dstack([cells[0], np.zeros((96, 96), np.uint8)])
    animated = {"save_all": True, "append_images": [other]}
    return {
        "corrupt.png": png[:300] + bytes(50) + png[350:],
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "empty.png": b"",
        "giant.png": _giant_png(),
        "giant.bmp": bytes(bitmap),
        "float.tif": _encode(Image.fromarray(np.ones((96, 96), np.float32)), "TIFF"),
        "notes.txt": b"thaw the second box",
        "drawing.svg": b"<svg/>",
        "script.png": b"#!/bin/sh\necho",
        "animated.gif": _encode(cell, "GIF", **animated),
        "animated.webp": _encode(cell, "WEBP", lossless=True, **animated),
        "animated.png": _encode(cell, "PNG", **animated),
        "grey16.png": _encode(Image.fromarray(grey * 257), "PNG"),
        "grey16.tif": _encode(Image.fromarray(grey * 257), "TIFF"),
        "rgb16.png": cv2.imencode(".png", np.ascontiguousarray((wide * 257)[..., ::-1]))[1].tobytes(),
        "cmyk.jpg": _encode(cell.convert("CMYK"), "JPEG", quality=95),
        "palette.png": _encode(cell.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        "really_png.jpg": png,
        "really_jpg.png": jpeg,
        "really_png.txt": png,
        "transparent.png": _encode(Image.fromarray(clear), "PNG"),
        "one_pixel.png": _encode(Image.new("RGB", (1, 1), (200, 10, 10)), "PNG"),
        "sliver.png": _encode(Image.new("RGB", (2000, 2), (90, 10, 10)), "PNG"),
        "twelve_bits.png": _encode(Image.fromarray(grey * 16), "PNG"),
    }


def _wbc(home: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "wbc_core.cli", *arguments, "--home", str(home), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_each_bad_file_is_left_out_with_a_reason_or_found(
    workspace: Workspace, tmp_path: Path, packed: bool
) -> None:
    cells = draw_cells(np.random.default_rng(0), np.arange(40) % 8)
    bad = _files(cells)
    files = {f"good/{row:02}.png": _encode(Image.fromarray(cells[row]), "PNG") for row in range(1, 40)}
    files |= {f"bad/{name}": data for name, data in bad.items()}
    source = tmp_path / ("cells.zip" if packed else "cells")
    if packed:
        with zipfile.ZipFile(source, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
    home = workspace.home
    imported = _wbc(home, "import", str(source), "--size", "96")
    whys = {item["source"].removeprefix("bad/"): item["why"] for item in imported["rejected"]}
    assert whys.keys() == REJECTED.keys()
    for name, why in REJECTED.items():
        assert whys[name].startswith(why), name
    dataset = imported["dataset"]
    rows = {name: row for row, name in enumerate(load_table(workspace, dataset)["source"])}
    for name in SAME_AS_THE_CELL:
        pixels = open_images(workspace, dataset)[rows[f"bad/{name}"]].astype(float)
        assert abs(pixels.mean() - cells[0].mean()) < 8, name
    checks = _wbc(home, "scan", dataset, "--checks", ",".join(sorted(set(FOUND.values()))))["checks"]
    flagged = {
        check: {
            row
            for item in _wbc(home, "findings", dataset, "--check", check)
            if item["flagged"]
            for row in item["rows"]
        }
        for check in checks
    }
    for name, check in FOUND.items():
        assert rows[f"bad/{name}"] in flagged[check], name

"""Hostile bodies of requests: odd forms, bad JSON, bad images, GeoPoseProtocol requests."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

BOUNDARY = b"corpus-boundary"
FORM_TYPE = b"multipart/form-data; boundary=" + BOUNDARY
NASTY_TEXTS = (
    "", " ", "\0", "nan", "inf", "-inf", "1e400", "-0", "1e-400", "0x10", "1_000", "١٢٣", "１２",
    "𝟙𝟚", "½", "null", "true", "{}", "[]", "[[[]]]", "'", '"', "a\0b", "é" * 300, "😀", "\ufeff1",
    "\u202e12", "1 2", "1 2 3", "1,2,3", "1;2;3", "[1, 2, 3]", "[NaN, 1, 2]", "[1e999, 1, 2]",
    "9" * 400, "9" * 3999, "-1", "PINHOLE 64 48 1 1 1 1", "PINHOLE 64 48 1e308 1e308 0 0",
    "SIMPLE_PINHOLE 0 0 50 32 24", "SIMPLE_PINHOLE 64 -48 50 32 24", "OPENCV 64 48" + " 9" * 300,
    "../../etc/passwd", "%00", "\r\nX: 1", "${7*7}", "a" * 3999, "a" * 15000,
)  # fmt: skip
FIELDS = (
    "camera", "fx", "fy", "cx", "cy", "distortion", "width", "height", "prior_position",
    "prior_geo", "prior_radius", "prior_accuracy", "gravity", "gravity_tolerance_deg",
    "prior_heights", "maps", "frame", "world", "max_wrong", "recalibrate", "matches", "budget_ms",
    "query", "image", "", "\0", "unknown", "é", "__class__", "a" * 300,
)  # fmt: skip
NASTY_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, 10**400, "", "\0", "x", [], {}, [[]], [None], {"a": {}},
    [1] * 1000, "é" * 1000, "\ud800", -0.0, 1e-320,
)  # fmt: skip
NASTY_JSON = (
    "", "{", "}", "[" * 900, '{"a":' * 600, '{"fx": NaN}', '{"fx": Infinity}', '{"fx": 1e999}',
    '{"fx": 1, "fx": 2}', '{"fx": ' + "9" * 3000 + "}", '{"camera": "\\ud800"}', '{"\\u0000": 1}',
    "\ufeff{}", "nul", '"text"', "1", "{'fx': 1}", '{"fx": 1,}', "{} {}", '{"query": "{}"}',
    '{"maps": "a"}', '{"maps": [[["a"]]]}', '{"fx": true}', '{"width": 1.5}', '{"distortion": {}}',
)  # fmt: skip


def form(*parts: tuple[bytes, bytes], end: bytes = b"--") -> bytes:
    """Multipart body of (headers, content) parts."""
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY, *part) for part in parts)
    return body + b"--" + BOUNDARY + end + b"\r\n"


def image_part(data: bytes, name: bytes = b"image", extra: bytes = b"") -> tuple[bytes, bytes]:
    """Part with a file."""
    head = b'Content-Disposition: form-data; name="%b"; filename="x.jpg"%b' % (name, extra)
    return head, data


def text_part(name: str, value: str) -> tuple[bytes, bytes]:
    """Part with a text field."""
    quoted = name.encode("utf-8", "surrogatepass").replace(b'"', b"%22")
    value_bytes = value.encode("utf-8", "surrogatepass")
    return b'Content-Disposition: form-data; name="%b"' % quoted, value_bytes


def nasty_field(rng: random.Random, photo: bytes) -> bytes:
    """Good photo with one to three fields of any name and value."""
    fields = [
        text_part(rng.choice(FIELDS), rng.choice(NASTY_TEXTS)) for _ in range(rng.choice((1, 1, 3)))
    ]
    return form(*fields, image_part(photo))


def nasty_query(rng: random.Random, photo: bytes) -> bytes:
    """Good photo with a field of broken or odd JSON."""
    value = rng.choice(NASTY_JSON)
    if rng.random() < 0.5:
        value = json.dumps({rng.choice(FIELDS): rng.choice(NASTY_VALUES)})
    return form(text_part("query", value), image_part(photo))


def odd_form(rng: random.Random, photo: bytes) -> bytes:
    """Form that breaks rules of multipart bodies."""
    good = form(image_part(photo))
    many = [text_part(f"f{i}", "1") for i in range(rng.choice((41, 200, 3000)))]
    variants: tuple[Callable[[], bytes], ...] = (
        lambda: good[: rng.randrange(1, len(good))],
        lambda: form(image_part(photo), end=b""),
        lambda: good.replace(BOUNDARY, b"other-boundary"),
        lambda: form((b"", photo)),
        lambda: form((b"Content-Disposition: form-data", photo)),
        lambda: form((b'Content-Disposition: attachment; name="image"', photo)),
        lambda: form((b"X: " + b"a" * 70000, photo)),
        lambda: form((b"a\0b: c", photo)),
        lambda: form((b"no colon", photo)),
        lambda: form(image_part(photo), image_part(photo)),
        lambda: form(image_part(photo), *many),
        lambda: form(image_part(photo, b"\xff\xfe")),
        lambda: form(image_part(photo, b"im\0age")),
        lambda: form(image_part(photo, extra=b'; filename="../../x"')),
        lambda: form(image_part(photo, extra=b"; filename*=UTF-8''%ff%00")),
        lambda: form(image_part(photo, extra=b"\r\nContent-Transfer-Encoding: base64")),
        lambda: form(image_part(photo, extra=b"\r\nContent-Type: " + rng.randbytes(9))),
        lambda: form(image_part(photo, extra=b"\r\nContent-Type: multipart/mixed; boundary=x")),
        lambda: form((b'Content-Disposition: form-data; name="image"', base64.b64encode(photo))),
        lambda: form(text_part("fx", "9" * 20000), image_part(photo)),
        lambda: b"\r\n" * rng.randrange(1, 3000) + good,
        lambda: b"preamble " * 100 + good,
        lambda: good + rng.randbytes(300),
        lambda: good.replace(b"\r\n", b"\n"),
        lambda: b"--" + BOUNDARY + b"--",
        lambda: b"",
        lambda: rng.randbytes(rng.randrange(1, 5000)),
    )  # fmt: skip
    return rng.choice(variants)()


def bad_image(rng: random.Random, photo: bytes) -> bytes:
    """Form with an image that is broken, of another format, or too large."""
    return form(image_part(_bad_image(rng, photo)))


def _bad_image(rng: random.Random, photo: bytes) -> bytes:
    kind = rng.choice(("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF"))
    encoded = encoded_noise(kind, rng)
    variants: tuple[Callable[[], bytes], ...] = (
        lambda: encoded[: rng.randrange(len(encoded))],
        lambda: mutated(rng, encoded),
        lambda: mutated(rng, photo),
        lambda: mutated(rng, encoded[:200]) + encoded[200:],
        lambda: photo[: rng.randrange(len(photo))],
        lambda: rng.randbytes(rng.randrange(1, 3000)),
        lambda: bytes(rng.randrange(1, 3000)),
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        lambda: b"%PDF-1.7\n" + rng.randbytes(100),
        lambda: b"GIF89a" + rng.randbytes(100),
        lambda: b"\0\0\0\x1cftyp" + rng.choice((b"heic", b"avif", b"isom")) + rng.randbytes(300),
        lambda: _png_of(rng.choice((0, 1, 60000, 2**31 - 1)), rng.choice((0, 1, 60000, 2**31 - 1))),
        lambda: b"P6 " + rng.choice((b"99999 99999", b"-1 5", b"0 0", b"9 9")) + b" 255\n",
        lambda: b"",
    )  # fmt: skip
    return rng.choice(variants)()


def many_scans(side: int = 6900, scans: int = 16000) -> bytes:
    """Progressive JPEG of 160 kB with thousands of empty scans: a minute of decoding."""

    def segment(marker: int, data: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data

    table = bytes([1] + [0] * 15) + b"\0"
    head = (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + bytes([16] * 64))
        + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\0")
        + segment(0xC4, b"\0" + table)
        + segment(0xC4, b"\x10" + table)
        + segment(0xDA, b"\x01\x01\0\0\0\0")
        + b"\0"
    )
    return head + scans * segment(0xDA, b"\x01\x01\0\x01\x3f\0") + b"\xff\xd9"


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Copy with a few bytes changed, removed, repeated or inserted."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 40))):
        at = rng.randrange(len(changed)) if changed else 0
        action = rng.randrange(4)
        if action == 0 and changed:
            changed[at] = rng.randrange(256)
        elif action == 1:
            del changed[at : at + rng.randrange(1, 20)]
        elif action == 2:
            changed[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            changed[at:at] = changed[at : at + rng.randrange(1, 200)]
    return bytes(changed)


def geopose_body(rng: random.Random, photo: bytes) -> bytes:
    """GeoPoseProtocol request with one or two values that make no sense, or broken JSON."""
    body = good_geopose(photo)
    for _ in range(rng.choice((1, 2))):
        _replace_some(rng, body)
    text = json.dumps(body)
    if rng.random() < 0.3:
        return mutated(rng, text.encode())
    if rng.random() < 0.1:
        return rng.choice((b"[" * 50000, b'{"a":' * 20000, b"{}", b"[]", b"1", b"\xff\xfe{}", b""))
    return text.encode()


def good_geopose(photo: bytes) -> dict[str, Any]:
    """GeoPoseProtocol request, version 2."""
    reading = {
        "sensorId": "0",
        "imageBytes": base64.b64encode(photo).decode(),
        "imageFormat": "JPG",
    }
    position = {"sensorId": "1", "latitude": 48.2, "longitude": 16.4, "accuracy": 0}
    return {
        "id": "1", "timestamp": 1700000000000, "type": "geopose",
        "sensors": [{"id": "0", "type": "camera"}, {"id": "1", "type": "geolocation"}],
        "sensorReadings": {"cameraReadings": [reading], "geolocationReadings": [position]},
    }  # fmt: skip


def _replace_some(rng: random.Random, value: Any) -> None:
    """Replace, remove or add one value somewhere in nested lists and dicts."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = rng.choice(keys)
    if isinstance(value[key], dict | list) and rng.random() < 0.7:
        _replace_some(rng, value[key])
    elif rng.random() < 0.2:
        del value[key]
    elif rng.random() < 0.2 and isinstance(value, dict):
        value[rng.choice(("", "\0", "x" * 500, "params", "size"))] = rng.choice(NASTY_VALUES)
    else:
        value[key] = rng.choice(NASTY_VALUES)


def encoded_noise(kind: str, rng: random.Random) -> bytes:
    """Image file of 64 x 48 random pixels."""
    pixels = np.frombuffer(rng.randbytes(48 * 64 * 3), np.uint8).reshape(48, 64, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _png_of(width: int, height: int) -> bytes:
    """PNG header of any size without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + bytes(4)

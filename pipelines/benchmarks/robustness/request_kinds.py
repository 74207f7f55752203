"""Seeded corpus of hostile HTTP requests as raw bytes, each with the statuses that it may get."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.benchmarks.robustness.request_bodies import (
    BOUNDARY,
    FORM_TYPE,
    bad_image,
    encoded_noise,
    form,
    geopose_body,
    good_geopose,
    image_part,
    many_scans,
    mutated,
    nasty_field,
    nasty_query,
    odd_form,
)

CLOSED = 0
"""Stands for a connection that ends without an answer, where the client has ended it first."""
REFUSED = frozenset(range(400, 500)) | {501}
ANY = REFUSED | {200}
LOCALIZE = b"/v1/localize"


@dataclass(frozen=True)
class HostileRequest:
    """Bytes to send on a new connection."""

    kind: str
    raw: bytes
    statuses: frozenset[int]
    """Statuses that are right; 429 is right everywhere."""


Make = Callable[[random.Random, bytes], tuple[bytes, frozenset[int] | set[int]]]


def request(
    body: bytes = b"",
    *headers: bytes,
    method: bytes = b"POST",
    target: bytes = LOCALIZE,
    host: bytes = b"localhost",
    kind: bytes = FORM_TYPE,
    version: bytes = b"1.1",
) -> bytes:
    """Well-formed request with the right length."""
    lines = [b"%b %b HTTP/%b" % (method, target, version), b"Host: " + host, b"Connection: close"]
    if body or method == b"POST":
        lines += [b"Content-Type: " + kind, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", b""]) + body


def _good(rng: random.Random, photo: bytes) -> tuple[bytes, set[int]]:
    return request(form(image_part(photo))), {200}


def _mutated(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    head, _, body = request(form(image_part(photo))).partition(b"\r\n\r\n")
    if rng.random() < 0.6:
        head = mutated(rng, head)
    else:
        body = mutated(rng, body)
    return head + b"\r\n\r\n" + body, ANY | {CLOSED}


def _methods(rng: random.Random, _: bytes) -> tuple[bytes, frozenset[int]]:
    method = rng.choice(
        (b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"x" * 40, b"G\0T", b"get")
    )
    target = rng.choice(
        (LOCALIZE, b"/geopose", b"/health", b"/v1/maps", b"/v1/maps/map/reload", b"*", b"/")
    )
    return request(method=method, target=target), REFUSED


def _targets(rng: random.Random, _: bytes) -> tuple[bytes, frozenset[int]]:
    target = rng.choice((
        b"/%00", b"/v1/maps/%00/plan", b"/v1/maps/../../etc/passwd",
        b"/v1/maps/map/photos/..%2f..%2fetc%2fpasswd",
        b"/%ff%fe", b"/" + b"a" * 9000, b"/" + b"/" * 3000, b"//localhost/health",
        b"/v1/maps/%F0%9F%98%80/plan",
        b"/v1/maps/map/photos/" + b"%2e%2e/" * 300, b"/v1/localize/", b"/V1/localize",
        b"/v1/maps/map/plan/x",
        b"/v1/maps/other/photos/a.jpg", b"http://evil.example/v1", b"/?" + b"a=1&" * 20000,
        b"no-slash", b"/a b", b"",
    ))  # fmt: skip
    return request(method=b"GET", target=target), REFUSED | {200}


def _hosts(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    host = rng.choice((
        b"evil.example", b"localhost.evil.example", b"", b"0.0.0.0", b"[::]", b"localhost:abc",
        b"localhost:80:80",
        b"[::1", b"127.0.0.1.nip.io", b"2130706433", b"127.1", b"localhost\tx", b"\xff",
        b"a" * 5000, b"localhost@evil",
        b"user@localhost", b"localhost/evil", b"10.0.0.1", b"[::ffff:10.0.0.1]",
    ))  # fmt: skip
    if rng.random() < 0.1:
        return b"GET /health HTTP/1.1\r\n\r\n", REFUSED
    if rng.random() < 0.1:
        return b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", REFUSED
    method = rng.choice((b"GET", b"POST"))
    target = rng.choice((b"/v1/maps", b"/health", LOCALIZE, b"/metrics"))
    return request(b"", method=method, target=target, host=host), REFUSED


def _large_headers(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    size = rng.choice((17000, 30000, 60000, 200000))
    one = [b"X-A: " + b"a" * size]
    many = [b"X-%d: %b" % (i, b"b" * 100) for i in range(size // 100)]
    return request(b"", *rng.choice((one, many)), method=b"GET", target=b"/health"), frozenset(
        {431}
    )


def _odd_headers(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    header = rng.choice((
        b"Origin: http://evil.example", b"Origin: null", b"Origin: \xff",
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Basic " + b"a" * 3000, b"X-Request-Id: ../../x",
        b"X-Request-Id: " + b"i" * 500,
        b"Accept: " + b"a/b;" * 500, b"Accept: ;;;,,,", b"Cookie: " + b"c=d; " * 500,
        b"Expect: 100-continue",
        b"Expect: nonsense", b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c\r\nConnection: Upgrade",
        b"Content-Encoding: gzip", b"Transfer-Encoding: gzip", b"X:\r\n folded", b"X\0Y: 1",
        b" X: 1", b"X : 1",
        b"no colon", b": empty", b"Range: bytes=0-", b"If-Match: *", b"X-Forwarded-For: \xc3\xa9",
        b"Te: trailers",
    ))  # fmt: skip
    return request(form(image_part(photo)), header), ANY


def _duplicated(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    header = rng.choice((
        b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 1e3", b"Content-Length: +9",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked",
        b"Content-Type: text/plain",
        b"Content-Type: multipart/form-data; boundary=other", b"Host: localhost",
        b"Connection: keep-alive",
        b"Authorization: a\r\nAuthorization: b", b"Origin: http://localhost\r\nOrigin: http://evil",
    ))  # fmt: skip
    return request(form(image_part(photo)), header), ANY | {CLOSED}


def _chunked(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    body = form(image_part(photo))
    whole = b"%x\r\n%b\r\n" % (len(body), body)
    chunks = rng.choice((
        whole + b"0\r\n\r\n", b"".join(b"1\r\n%c\r\n" % byte for byte in body[:500]) + b"0\r\n\r\n",
        b"zz\r\n" + body, b"-5\r\n" + body, b"ffffffffffffffff\r\n" + body, b"0x10\r\n" + body,
        b"\r\n", b"5;" + b"e" * 20000,
        b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhel",
        whole + b"0\r\nX: 1\r\n\r\n",
        whole + b"0\r\n" + b"T: 1\r\n" * 9000 + b"\r\n", b"0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
        b"\0\r\n", whole,
    ))  # fmt: skip
    head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return head + chunks, ANY | {CLOSED}


def _lengths(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    body = form(image_part(photo))
    stated = rng.choice((0, 1, len(body) - 7, len(body) + 7, len(body) * 10, 10**9, 10**30, 2**64))
    head = request(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % stated)
    return head + body, REFUSED | {CLOSED, 200}


def _versions(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    raw = rng.choice((
        b"GET /\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n\r\n\r\n", bytes(50),
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: localhost\n\n",
        b"GET\t/\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / http/1.1\r\nHost: localhost\r\n\r\n", rng.randbytes(200),
        b"\xff" * 20000, b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", b"SSH-2.0-x\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ))  # fmt: skip
    return raw + b"\r\n\r\n", ANY | {CLOSED}


def _types(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    kind = rng.choice((
        b"", b"multipart/form-data", b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=" + b"b" * 300,
        b"multipart/form-data; boundary=\xff\xfe", b"multipart/form-data; boundary=\"a b\"",
        b"multipart/mixed; boundary=x",
        b"application/json", b"image/jpeg", b"text/plain", b"a" * 5000, b";;;",
        b"multipart/form-data; charset=utf-99; boundary="
        + BOUNDARY, b"application/x-www-form-urlencoded",
    ))  # fmt: skip
    return request(form(image_part(photo)), kind=kind), ANY


def _form_of(make: Callable[[random.Random, bytes], bytes], *statuses: int) -> Make:
    return lambda rng, photo: (request(make(rng, photo)), frozenset(statuses) or ANY)


def _geopose(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    accept = rng.choice(
        (
            b"*/*",
            b"",
            b"application/vnd.oscp+json; version=" + rng.choice((b"1.0", b"2.0", b"3", b"\xff")),
        )
    )
    body = (
        json.dumps(good_geopose(photo)).encode()
        if rng.random() < 0.05
        else geopose_body(rng, photo)
    )
    target = rng.choice(
        (b"/geopose", b"/geopose", b"/geopose", b"/geopose?maps=%00", b"/geopose?maps=x,,y")
    )
    return request(body, b"Accept: " + accept, target=target, kind=b"application/json"), ANY


def _other_posts(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    target = rng.choice(
        (
            b"/v1/maps/x/reload",
            b"/v1/maps/%00/reload",
            b"/v1/maps",
            b"/metrics",
            b"/docs",
            b"/health",
        )
    )
    return request(rng.randbytes(100), target=target, kind=b"application/json"), REFUSED


def _many_scans(rng: random.Random, photo: bytes) -> tuple[bytes, frozenset[int]]:
    return request(form(image_part(many_scans()))), frozenset({413, 422, 503})


KINDS: Mapping[str, tuple[Make, float]] = {
    "good": (_good, 4), "mutated": (_mutated, 12), "methods": (_methods, 4),
    "targets": (_targets, 6),
    "hosts": (_hosts, 6), "large headers": (_large_headers, 3), "odd headers": (_odd_headers, 6),
    "duplicated headers": (_duplicated, 5), "chunked": (_chunked, 6), "lengths": (_lengths, 5),
    "versions": (_versions, 5), "content types": (_types, 4), "fields": (_form_of(nasty_field), 10),
    "JSON in fields": (_form_of(nasty_query), 6), "odd forms": (_form_of(odd_form), 8),
    "bad images": (_form_of(bad_image), 10), "GeoPoseProtocol": (_geopose, 10),
    "other posts": (_other_posts, 2), "many scans": (_many_scans, 0.06),
}  # fmt: skip
"""How requests are made, and how often, relative to each other."""


def corpus(count: int, seed: int, photo: bytes) -> Iterator[HostileRequest]:
    """Yield requests in an order that depends on the seed.

    Args:
        photo: sent by good requests. Others have a small one, which costs little where it passes.
    """
    rng, small = random.Random(seed), encoded_noise("JPEG", random.Random(0))
    names = list(KINDS)
    weights = [KINDS[name][1] for name in names]
    for _ in range(count):
        name = rng.choices(names, weights)[0]
        raw, statuses = KINDS[name][0](rng, photo if name == "good" else small)
        yield HostileRequest(name, raw, frozenset(statuses))

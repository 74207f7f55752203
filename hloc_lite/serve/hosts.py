"""Addresses and host names: which ones only this machine reaches, and which a request may name.

A web site may let its own name resolve to the address of a server in the visitor's network (DNS
rebinding). Its pages may then read the server's answers. They send their own name as Host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, accepted while it alone can reach the server."""
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
HOST_HEADER = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(:[0-9]{1,5})?")
"""Name or address, IPv6 in brackets, with or without a port."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens on ``host``.

    Of all names only ``localhost`` counts (RFC 6761); others may resolve to any address.
    """
    name = normalized(host)
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback


def normalized(name: str) -> str:
    """One form of each name or address: lower case, no brackets, no dot at the end.

    IPv4 addresses within IPv6 become IPv4. A name that is none is returned as it is.
    """
    bare = name.strip().lower()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    address = _address(bare)
    return bare.removesuffix(".") if address is None else str(address)


def check_host_name(name: str) -> str:
    """Return the normalized form of a host name or address. Raises ValueError if it is none."""
    found = normalized(name)
    if _address(found) is None and not HOST_NAME.fullmatch(found):
        raise ValueError(
            f"expected a host name or an address without scheme and port, got {name[:80]!r}"
        )
    return found


def requested_host(header: str) -> str | None:
    """Normalized name in a Host header; None if it is malformed."""
    match = HOST_HEADER.fullmatch(header.strip())
    return None if match is None else normalized(match[1])


def accepted_hosts(host: str, allowed: Iterable[str]) -> frozenset[str]:
    """Names that requests may have as Host, normalized.

    Args:
        host: the address that the server listens on; accepted itself.
        allowed: further names, from ``--allow-host``.
    """
    own = LOOPBACK_NAMES if is_loopback(host) else ()
    address = _address(normalized(host))
    # 0.0.0.0 is no name of a server, though browsers connect to this machine by it
    listened = () if address is not None and address.is_unspecified else (host,)
    return frozenset(normalized(name) for name in (*listened, *own, *allowed))


def is_accepted(header: str, accepted: Collection[str], local_address: str | None) -> bool:
    """Tell whether a request's Host header names this server.

    Args:
        local_address: address at which the connection arrived. A server that listens on all
            addresses is asked for by it; a rebound name can never equal it.
    """
    name = requested_host(header)
    if name is None:
        return False
    if name in accepted:
        return True
    arrived = None if local_address is None else _address(normalized(local_address))
    return arrived is not None and name == str(arrived)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``name`` is; None if it is a name."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped

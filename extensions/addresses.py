"""Names and addresses of servers, and URLs."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:]+\])"
_URL = re.compile(rf"https?://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")


def is_url(address: str) -> bool:
    """Return whether an address is an http or https URL, without anything secret in it."""
    try:
        parts = urlsplit(address)
        return (
            bool(_URL.fullmatch(address)) and parts.port != 0 and len(parts.hostname or "") <= 253
        )
    except ValueError:  # a port above 65535, or no IPv6 address
        return False


def is_address(text: str) -> bool:
    """Return whether a text is the name of a server or its IP address, IPv6 in brackets."""
    return bool(re.fullmatch(_HOST, text)) and is_url(f"https://{text}")


def is_ip(text: str) -> bool:
    """Return whether a text is an IP address that is valid on every machine."""
    try:
        return not getattr(ipaddress.ip_address(text), "scope_id", None)
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Return whether a URL means the machine, or the container, that uses it."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified

"""Who is heard: decided from the head of a request, before a byte of its body is read.

A web page that the operator visits can reach a loopback port. So a request that names another host (a name
that was made to resolve to 127.0.0.1), or that comes from a page of any other origin than the server's own
(`Origin`, https://www.rfc-editor.org/rfc/rfc6454), is refused, and so is any other type than
`application/json`, which no page may send without asking first. The server's own origin has one page, the
dashboard; another port of the same machine is another origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from jepanet.rpc.codes import Code, Refused
from jepanet.settings.rpc_section import RpcSection

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?")
_JSON = re.compile(r"application/json *(; *charset=\"?utf-8\"?)? *", re.IGNORECASE)


def hosts_of(section: RpcSection) -> frozenset[str]:
    """The names by which a server may be called."""
    names = {*section.allowed_hosts, section.host}
    if ip_address(section.host).is_loopback:
        names.update(_LOOPBACK)
    return frozenset(map(_plain, names))


def check_host(headers: Mapping[str, str], hosts: frozenset[str]) -> None:
    """Raises: Refused (`STRANGER`): called by another name, or from a web page that is not of this server."""
    host = headers.get("Host", "")
    said = _HOST.fullmatch(host)
    if said is None or _plain(said.group(1).strip("[]")) not in hosts:
        raise Refused(Code.STRANGER)
    own = {f"http://{host}".lower(), f"https://{host}".lower()}
    if headers.get("Origin", f"http://{host}").lower() not in own:
        raise Refused(Code.STRANGER)


def check_type(headers: Mapping[str, str]) -> None:
    """Raises: Refused (`NOT_JSON`): another type, or a body that unpacks to more than was sent."""
    coding = headers.get("Content-Encoding", "identity").lower()
    if not _JSON.fullmatch(headers.get("Content-Type", "")) or coding != "identity":
        raise Refused(Code.NOT_JSON)


def check_length(headers: Mapping[str, str], most: int) -> None:
    """Raises: Refused (`BODY_TOO_LARGE`): it announces a longer body."""
    said = headers.get("Content-Length", "0")
    if not said.isdecimal() or len(said) > len(str(most)) or int(said) > most:
        raise Refused(Code.BODY_TOO_LARGE)


def _plain(name: str) -> str:
    """One spelling of a name; of an address its shortest."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower().removesuffix(".")

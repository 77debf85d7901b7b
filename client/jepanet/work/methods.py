"""Which codecs and merge rules this program has, for rooms that may not look at their code."""

from __future__ import annotations

from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.merging.rules import RULES
from jepanet.protocol.documents.spec import RoundSpec, decode_spec
from jepanet.protocol.documents.spec_checks import Methods, check_methods

METHODS = Methods(tuple(CODECS), tuple(RULES))


def known_spec(data: bytes) -> RoundSpec:
    """A spec from untrusted bytes that this program can follow.

    Raises:
        Rejected: as `decode_spec`; an unknown codec or merge rule.
    """
    spec = decode_spec(data)
    check_methods(spec, METHODS)
    return spec

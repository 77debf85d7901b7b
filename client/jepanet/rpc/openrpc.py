"""`rpc.discover`: the methods as an OpenRPC document, built from the table that answers them.

https://spec.open-rpc.org (1.3.2), and there, Service Discovery.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jepanet.nesting import Json
from jepanet.rpc.codes import MEANINGS, Code
from jepanet.rpc.method import Method, NoParams
from jepanet.rpc.schemas import Schemas, fields_with_hints, has_default

_SPECIFICATION: Final = "1.3.2"
_OF_CALLS: Final = tuple(
    code
    for code in Code
    if MEANINGS[code].status == 200 and code not in (Code.PARSE_ERROR, Code.INVALID_REQUEST)
)


def discovering(methods: Iterable[Method], version: str, who: str = "node") -> Method:
    """The method that describes the others, and itself. `who` answers them."""
    document: dict[str, Json] = {}

    async def discover(_: NoParams) -> dict[str, Json]:
        return document

    itself = Method("rpc.discover", "This document", NoParams, object, discover)
    document.update(document_of([*methods, itself], version, who))
    return itself


def document_of(methods: Iterable[Method], version: str, who: str = "node") -> dict[str, Any]:
    """Every method with its parameters, result and errors. `version` is that of the client."""
    schemas = Schemas()
    described = [_method(method, schemas) for method in sorted(methods, key=lambda item: item.name)]
    return {
        "openrpc": _SPECIFICATION,
        "info": {
            "title": f"jepanet {who}",
            "version": version,
            "description": f"JSON-RPC 2.0 of a running {who}; amounts of tokens are decimal texts of 10**-18",
        },
        "methods": described,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "errors": {
                code.name: {"code": int(code), "message": MEANINGS[code].message} for code in _OF_CALLS
            },
        },
    }


def _method(method: Method, schemas: Schemas) -> dict[str, Any]:
    return {
        "name": method.name,
        "summary": method.summary,
        "tags": [{"name": f"scope: {method.scope}"}],
        "paramStructure": "either",
        "params": [
            {"name": item.name, "required": not has_default(item), "schema": schemas.of(hint)}
            for item, hint in fields_with_hints(method.params)
        ],
        "result": {"name": "result", "schema": schemas.of(method.result)},
        "errors": [{"$ref": f"#/components/errors/{code.name}"} for code in _OF_CALLS],
    }

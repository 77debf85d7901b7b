"""The OpenRPC document is one by OpenRPC's own meta-schema, and what is written from it is current."""

from __future__ import annotations

import copy
import importlib.util
import json
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from rpc_node import Asking, a_node

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
META = ROOT / "tests" / "openrpc" / "meta-schema-1.14.9.json"
JSON_SCHEMA = "https://meta.json-schema.tools"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
NOWHERE = f"{JSON_SCHEMA}/#/definitions/JSONSchemaObject/properties/$ref"


@pytest.fixture
async def document(tmp_path: Path) -> Any:
    node = a_node(tmp_path)
    try:
        return (await Asking(node).all("rpc.discover"))["result"]
    finally:
        node.journal.close()
        node.blobs.close()


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    meta = json.loads(META.read_text(encoding="utf-8"))
    reference = meta["definitions"]["referenceObject"]["properties"]
    assert reference == {"$ref": {"$ref": NOWHERE}}
    reference["$ref"] = {"type": "string"}
    meta["$schema"] = DRAFT_7
    draft = Resource(Draft7Validator.META_SCHEMA, DRAFT7)
    known: Registry[Any] = Registry().with_resources([(JSON_SCHEMA, draft), (f"{JSON_SCHEMA}/", draft)])
    return Draft7Validator(meta, registry=known)


def test_the_document_is_one_by_the_meta_schema(document: Any, validator: Draft7Validator) -> None:
    wrong = [f"{list(error.path)}: {error.message:.200}" for error in validator.iter_errors(document)]
    assert not wrong
    assert "1.3.2" in validator.schema["properties"]["openrpc"]["enum"]  # type: ignore[index,call-overload]
    for name, schema in document["components"]["schemas"].items():
        Draft7Validator.check_schema(schema)
        assert name


def test_a_document_that_is_none_is_noticed(document: Any, validator: Draft7Validator) -> None:
    def without_a_name(tree: Any) -> None:
        del tree["methods"][0]["name"]

    def of_a_type_that_none_is(tree: Any) -> None:
        tree["components"]["schemas"]["NodeStatus"]["type"] = "record"

    def with_an_error_that_has_no_number(tree: Any) -> None:
        tree["components"]["errors"]["NOT_FOUND"]["code"] = "NOT_FOUND"

    def with_a_member_of_its_own(tree: Any) -> None:
        tree["methods"][0]["scope"] = "read"

    def with_a_reference_that_is_no_text(tree: Any) -> None:
        tree["methods"][0]["errors"][0] = {"$ref": 5}

    for spoil in (
        without_a_name,
        of_a_type_that_none_is,
        with_an_error_that_has_no_number,
        with_a_member_of_its_own,
        with_a_reference_that_is_no_text,
    ):
        changed = copy.deepcopy(document)
        spoil(changed)
        assert not validator.is_valid(changed), spoil.__name__


async def test_page_and_types_are_what_the_document_says(
    document: Any, validator: Draft7Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("jepanet_rpc_reference", str(ROOT / "scripts" / "write_rpc_reference"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    observer = await module.observer_document()
    assert not list(validator.iter_errors(observer)) and observer["info"]["title"] == "jepanet observer"
    files = module.written(document, observer)
    names = {"rpc-reference.md", "rpc.d.ts", "rpc-client.ts", "rpc-observer.d.ts"}
    assert {path.name for path in files} == names
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, "run scripts/write_rpc_reference"
    document["methods"][0]["summary"] = observer["methods"][0]["summary"] = "Something else"
    changed = module.written(document, observer)
    assert all(text != path.read_text(encoding="utf-8") for path, text in changed.items())

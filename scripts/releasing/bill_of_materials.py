"""The bill of materials: CycloneDX 1.6 as JSON, judged by that format's own schema.

    .venv/release/bin/python scripts/releasing/bill_of_materials.py < components.json > bill.json

It runs with the packages of tools/release.lock and without any of jepanet. Equal input gives equal bytes: its
serial number follows from the input, its time is the commit's.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

_SCOPES = {
    "in the wheel": ComponentScope.REQUIRED,
    "required": ComponentScope.REQUIRED,
    "optional": ComponentScope.OPTIONAL,
    "builds and tests": ComponentScope.EXCLUDED,
}


def written(told: dict[str, Any]) -> str:
    """The bill of `told`: name, version, licence, time (unix seconds), needs (keys), components.

    Raises: ValueError: it does not fit the schema.
    """
    licences = LicenseFactory()
    own = Component(
        name=told["name"], version=told["version"], type=ComponentType.APPLICATION,
        bom_ref=told["name"], licenses=[licences.make_from_string(told["licence"])],
        purl=PackageURL("pypi", None, told["name"], told["version"]),
    )  # fmt: skip
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(told, sort_keys=True))
    made = datetime.fromtimestamp(told["time"], UTC)
    bill = Bom(serial_number=serial, metadata=BomMetaData(timestamp=made, component=own))
    known = {}
    for item in told["components"]:
        space, _, name = item["name"].rpartition("/")
        component = Component(
            name=item["name"], version=item["version"], type=ComponentType.LIBRARY,
            scope=_SCOPES[item["scope"]], bom_ref=item["key"],
            purl=PackageURL(item["kind"], space or None, name, item["version"]),
            licenses=[licences.make_from_string(item["licence"])] if item["licence"] else [],
            hashes=[HashType(alg=HashAlgorithm.SHA_512, content=item["sha512"])] if item["sha512"] else [],
            properties=[Property(name="jepanet:scope", value=item["scope"])],
        )  # fmt: skip
        known[item["key"]] = component
        bill.components.add(component)
    for item in told["components"]:
        bill.register_dependency(known[item["key"]], [known[key] for key in item["needs"]])
    bill.register_dependency(own, [known[key] for key in told["needs"]])
    text = JsonV1Dot6(bill).output_as_string(indent=2)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"the bill does not fit the schema of CycloneDX 1.6: {wrong}")
    return text + "\n"


if __name__ == "__main__":
    sys.stdout.write(written(json.load(sys.stdin)))

"""Every kind of data that a shard can hold. A new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.schemas.schema import DataSchema

SCHEMAS: Mapping[str, DataSchema] = {
    schema.name: schema
    for schema in (
        EPISODES,
        IMAGES,
        QUESTIONS,
        PAIRS,
    )
}
"""By name."""


def schema_tagged(tag: object) -> DataSchema:
    """The schema that a shard's header names.

    Raises:
        Rejected: none that this node knows (`malformed`).
    """
    found = next((schema for schema in SCHEMAS.values() if schema.tag == tag), None)
    if found is None:
        known = ", ".join(schema.tag for schema in SCHEMAS.values())
        raise Rejected(
            f"shard: its schema is none of {known}",
            reason="malformed",
            remedy="a newer jepanet may know it",
        )
    return found

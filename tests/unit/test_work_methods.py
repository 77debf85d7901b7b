"""What a round's spec may name is what this program has: no less, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.merging.rules import RULES
from jepanet.protocol.documents.spec import MergeRule, encode_spec
from jepanet.work.methods import METHODS, known_spec
from round_samples import a_spec

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_can_be_named_by_a_spec(name: str) -> None:
    spec = replace(a_spec(), codec=name)
    assert known_spec(encode_spec(spec)) == spec


@pytest.mark.parametrize("name", RULES)
def test_every_merge_rule_can_be_named_by_a_spec(name: str) -> None:
    spec = replace(a_spec(), merge=MergeRule(name))
    assert known_spec(encode_spec(spec)) == spec


@pytest.mark.parametrize(
    ("change", "known"),
    [({"codec": "pickle"}, METHODS.codecs), ({"merge": MergeRule("loudest")}, METHODS.merge_rules)],
)
def test_attack_an_unknown_name_is_refused_with_those_that_exist(
    change: dict[str, object], known: tuple[str, ...]
) -> None:
    with pytest.raises(Rejected) as caught:
        known_spec(encode_spec(replace(a_spec(), **change)))  # type: ignore[arg-type]
    assert caught.value.reason == "bad-field" and ", ".join(known) in caught.value.message

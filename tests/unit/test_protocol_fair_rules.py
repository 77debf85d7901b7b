"""Attacks by the rules of a round: by what honest work would lose, no round is entered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.errors import Rejected
from jepanet.learning import recipes
from jepanet.learning.presets import preset
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.fair_rules import check_fair
from jepanet.protocol.documents.spec import Gates, NormCaps, RoundSpec, decode_spec, encode_spec
from round_samples import a_spec

pytestmark = pytest.mark.unit

UNFAIR = [
    a_spec(norms=NormCaps(to_base_milli=1)),
    a_spec(norms=NormCaps(to_median_milli=1000)),
    a_spec(norms=NormCaps(zero_nano=10**9)),
    a_spec(similarity_milli=1),
    a_spec(score_tolerance=10**9),
    a_spec(shrink_milli=100_000),
    a_spec(gates=Gates(harm_sigmas_milli=0)),
    a_spec(gates=Gates(harm_sigmas_milli=2999)),
    a_spec(gates=Gates(variance_floor_milli=1000)),
    a_spec(gates=Gates(variance_ceiling_milli=1000)),
    a_spec(gates=Gates(sigreg_log_milli=0)),
    a_spec(gates=Gates(rank_ratio_milli=1000)),
    a_spec(gates=Gates(variance_per_length_milli=1)),
    a_spec(gates=Gates(sigreg_per_length_milli=1)),
    a_spec(gates=Gates(rank_per_length_milli=1)),
]


@pytest.mark.parametrize("spec", UNFAIR, ids=range(len(UNFAIR)))
def test_attack_a_rule_that_takes_honest_bonds_work_or_pay(spec: RoundSpec) -> None:
    """Each is a spec that can be read, and was entered."""
    assert decode_spec(encode_spec(spec)) == spec
    with pytest.raises(Rejected, match="honest work loses by it") as refused:
        check_fair(spec)
    assert refused.value.reason == "unfair-rules"


def test_usual_rules_are_fair_whichever_recipe_they_are_of() -> None:
    check_fair(a_spec())
    names = sorted(item.stem for item in Path(recipes.__path__[0]).glob("*.toml"))
    assert len(names) > 10
    for name in names:
        summary = LearningDocuments().recipe(preset(name).to_bytes())
        check_fair(replace(a_spec(), gates=summary.gates, norms=summary.norms))

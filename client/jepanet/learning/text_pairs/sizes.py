"""What a language model minimises of pairs of texts, as a recipe says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import Range

_BAD_RECIPE = rejected("bad-recipe")


@dataclass(frozen=True, slots=True)
class PairObjective:
    """Next-token loss in nats a token + match * InfoNCE between the two texts of a pair, in nats a pair."""

    match: Annotated[
        float,
        Range(0.0, 10.0),
        "weight of InfoNCE; from random weights 1 costs the next token 0.3 to 0.7 nats, 0.1 to 0.2 do not",
    ] = 0.2
    temperature: Annotated[float, Range(0.005, 10.0), "by which cosines are divided"] = 0.1
    knots: Annotated[
        int, Range(3, 129), "quadrature points of the SIGReg metric that the state guards read"
    ] = 17

    def __post_init__(self) -> None:
        check(self, "recipe.objective", _BAD_RECIPE)


USUAL_OBJECTIVE = PairObjective()

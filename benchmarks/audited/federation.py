"""A federation in whose rounds trainings are audited before they are paid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from attacks.federation import Ended, Federation
from attacks.judging import Held

from jepanet.federation.judging.judge import Judged, Judgement
from jepanet.protocol.settling.reasons import NOT_REPRODUCED
from jepanet.tensors import Arrays
from jepanet.types import Verdict


class AuditedFederation(Federation):
    """One in which some deltas of a round are caught."""

    _caught: Collection[int] = ()

    def audited(self, deltas: Sequence[Arrays | None], caught: Collection[int]) -> Ended:
        """As `play`; `caught`: places of deltas whose training was not reproduced: they are revealed, and
        neither merged nor paid."""
        self._caught = caught
        try:
            return self.play(deltas)
        finally:
            self._caught = ()

    def _judged(self, deltas: Sequence[Arrays | None], scorer: Held) -> Judged:
        found = super()._judged(deltas, scorer)
        judgements = (
            Judgement(item.solver, item.digest, Verdict.INVALID, NOT_REPRODUCED, "")
            if place in self._caught else item
            for place, item in enumerate(found.judgements)
        )  # fmt: skip
        return replace(found, judgements=tuple(judgements))

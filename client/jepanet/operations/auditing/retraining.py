"""One solver's training repeated from what is public after its reveal: chain, files and the revealed salt."""

from __future__ import annotations

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.recipe import Recipe
from jepanet.operations.auditing.round_inputs import training_inputs
from jepanet.operations.reading.library import Library
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.training import RepeatTraining, TrainDelta
from jepanet.work.worker import Worker

SAME_TRAINING = 0.999
"""Cosine from which two deltas are one training on two builds (seen: 1 - 1e-12); other salts stay below."""


async def repeat_training(
    solver: Address,
    *,
    state: NodeState,
    round_: Round,
    deployment: Deployment,
    spec: RoundSpec,
    recipe: Recipe,
    manifest: DatasetManifest,
    documents: RoundFiles,
    library: Library,
    worker: Worker,
    device: str = "cpu",
) -> tuple[bool, str]:
    """Whether `solver`'s revealed delta is what its salt leads to, and how the outcome compares.

    One process trains: how many the solver had is not public, and their number changes rounding alone, as
    another build does, which `SAME_TRAINING` allows for.

    `documents`: where the round's base, recipe and spec lie. `device`: where it is trained; on another kind
    of device than the solver's the bytes differ, and the cosine says how far.

    Raises:
        Rejected: `not-revealed`; `not-repeatable` where the delta also holds what the solver's earlier deltas
            left out, which is not public; or what a file or the training itself is refused for.
        Transient: a file has no provider.
    """
    if CODECS[spec.codec].feedback and spec.feedback_milli and _revealed_before(state, round_, solver):
        raise Rejected(
            f"the delta of {solver} cannot be repeated: codec {spec.codec} adds what its earlier deltas left "
            "out, which only the solver has",
            reason="not-repeatable",
        )
    inputs = await training_inputs(
        solver, round_=round_, deployment=deployment, recipe=recipe, manifest=manifest, library=library
    )
    reveal = inputs.reveal
    target, left_out = (library.directory / f"{name}.part" for name in ("target", "residual_target"))
    try:
        training = TrainDelta(
            round=documents,
            shards=inputs.shards,
            probe=inputs.probe,
            residual=None,
            seed=inputs.seed,
            target=target,
            residual_target=left_out,
            device=device,
        )
        claimed = await library.get(
            f"delta of {solver}", reveal.digest, "raw", max_bytes=spec.max_delta_bytes
        )
        found = await worker.run(RepeatTraining(training, claimed))
    finally:
        for draft in (target, left_out):
            draft.unlink(missing_ok=True)
    if found.same:
        return True, f"its salt {reveal.salt.hex()} leads to the same bytes"
    return found.cosine > SAME_TRAINING, (
        f"its salt {reveal.salt.hex()} leads to other bytes, cosine {found.cosine:.6f}"
    )


def _revealed_before(state: NodeState, round_: Round, solver: Address) -> bool:
    return any(
        item.id < round_.id and item.project_id == round_.project_id and item.reveal_of(solver) is not None
        for item in state.rounds.values()
    )

"""Solver: train on the assigned shard, seal, commit, reveal, serve."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jepanet.chain.contracts import Standing
from jepanet.errors import Rejected
from jepanet.protocol.assignment import training_seed
from jepanet.protocol.commands import PublishDelta, SendCommit, SendReveal, TrainShard
from jepanet.protocol.commitment import commitment
from jepanet.protocol.inputs import LocalDeltaSealed, LocalInput
from jepanet.protocol.messages import Provide
from jepanet.protocol.state import Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.preparation import assigned_shard, pin_of, round_documents
from jepanet.roles.settlement import check_bond, ensure_stake
from jepanet.roles.submit import behind, submit
from jepanet.storage.journal import StoredResidual
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json
from jepanet.types import Digest, RoundId

log = get_logger("solver")

SALT_BYTES = 32


class Solver:
    """Handlers of the solver's duties."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {
            TrainShard.__name__: self.train_shard,
            SendCommit.__name__: self.send_commit,
            SendReveal.__name__: self.send_reveal,
            PublishDelta.__name__: self.publish_delta,
        }

    async def train_shard(self, command: TrainShard) -> Sequence[LocalInput]:
        """Trains and seals. A delta sealed before a crash is taken up again, never replaced."""
        context = self._context
        round_ = context.round(command.round_id)
        sealed = context.journal.salt(round_.id, context.me)
        if sealed is None:
            check_bond(context, round_.params.bond)
            before = context.journal.newest_residual(round_.project_id, context.me, round_.id)
            digest, residual = await self._train(round_, before)
            # The salt is on disk before anything else may happen: without it the bond would be lost.
            context.journal.put_salt(round_.id, context.me, digest, os.urandom(SALT_BYTES), residual)
            if before is not None and residual is not None and before.digest != residual.digest:
                context.blobs.unpin(Digest(before.digest), _residuals_of(round_))
        return [self._sealed(round_.id)]

    async def _train(
        self, round_: Round, newest: StoredResidual | None
    ) -> tuple[Digest, StoredResidual | None]:
        """The delta and, where its codec leaves something out, what that is.

        `newest` is what the delta before left out; it counts only for the same codec.
        """
        context = self._context
        documents = await round_documents(context, round_)
        spec = documents.spec
        shard, _ = assigned_shard(context, round_, documents.manifest)
        probe = documents.manifest.probe
        seed = training_seed(
            context.chain_id, context.rounds_address, round_.project_id, round_.id, context.me, round_.seed
        )
        target, left = (context.work / f"{what}-{round_.id}.safetensors" for what in ("delta", "residual"))
        before = Digest(newest.digest) if newest is not None and newest.codec == spec.codec else None
        if before is not None and context.blobs.path(before) is None:
            log.warning("solver.residual_lost", round=round_.id, residual=before, consequence="begins anew")
            before = None
        result = await context.jobs.run(
            "jepanet.node.jobs:train_delta",
            {
                "base": str(self._path(round_.base)),
                "recipe": str(self._path(spec.recipe)),
                "spec": str(self._path(round_.params.spec)),
                "shard": str(self._path(shard)),
                "probe": str(self._path(probe.digest)) if documents.recipe.aligns else None,
                "residual": str(self._path(before)) if before else None,
                "seed": seed.hex(),
                "target": str(target),
                "residual_target": str(left),
                "device": context.device,
            },
            on_progress=lambda step: log.debug("solver.step", round=round_.id, **step),
        )
        expected = Digest(bytes.fromhex(result["digest"]))
        digest = context.blobs.put_file(target, expected, move=True, pin=pin_of(round_))
        residual = None
        if result["residual"] is not None:
            kept = Digest(bytes.fromhex(result["residual"]))
            self._keep(round_, left, kept)
            residual = StoredResidual(round_.project_id, spec.codec, kept, before)
        note = {"seed": seed.hex(), "shard": shard.hex(), **result}
        context.journal.put_note(round_.id, "training", canonical_json(note).decode())
        log.info("solver.trained", round=round_.id, digest=digest, **result["metrics"])
        return digest, residual

    def _keep(self, round_: Round, path: Path, digest: Digest) -> None:
        """Stores a residual: for audits while its round is kept, for the next delta until that is sealed."""
        blobs = self._context.blobs
        blobs.put_file(path, digest, move=True, pin=pin_of(round_))
        blobs.pin(digest, _residuals_of(round_))

    def _path(self, digest: Digest) -> Path:
        path = self._context.blobs.path(digest)
        if path is None:
            raise Rejected(f"blob {digest.hex()} is gone from the store", reason="blob-missing")
        return path

    def _sealed(self, round_id: RoundId) -> LocalDeltaSealed:
        digest, salt = self._salt(round_id)
        context = self._context
        word = commitment(context.chain_id, context.rounds_address, round_id, context.me, digest, salt)
        return LocalDeltaSealed(round_id, Digest(digest), word)

    def _salt(self, round_id: RoundId) -> tuple[bytes, bytes]:
        sealed = self._context.journal.salt(round_id, self._context.me)
        if sealed is None:
            raise Rejected(f"there is no sealed delta for round {round_id}", reason="nothing-sealed")
        return sealed

    async def send_commit(self, command: SendCommit) -> Sequence[LocalInput]:
        context = self._context
        rounds = context.contracts.rounds
        standing = (await rounds.commitment(command.round_id, context.me, "latest")).standing
        if standing is not Standing.NONE:
            return []
        bond = context.round(command.round_id).params.bond
        check_bond(context, bond)
        await ensure_stake(context, bond, f"commit/{command.round_id}")
        word = self._sealed(command.round_id).commitment
        await submit(context, f"commit/{command.round_id}", rounds.commit(command.round_id, word))
        return []

    async def send_reveal(self, command: SendReveal) -> Sequence[LocalInput]:
        context = self._context
        rounds = context.contracts.rounds
        standing = (await rounds.commitment(command.round_id, context.me, "latest")).standing
        if standing is Standing.NONE:  # this duty exists because the commit was confirmed
            raise behind(f"reveal/{command.round_id}")
        if standing is not Standing.COMMITTED:
            return []
        digest, salt = self._salt(command.round_id)
        call = rounds.reveal(command.round_id, digest, salt)
        await submit(context, f"reveal/{command.round_id}", call)
        return []

    async def publish_delta(self, command: PublishDelta) -> Sequence[LocalInput]:
        context = self._context
        digest = Digest(self._salt(command.round_id)[0])
        context.blobs.publish(digest)
        await context.say(Provide(command.round_id, digest, context.network.addresses))
        return []


def _residuals_of(round_: Round) -> str:
    """Who pins the residual that the project's next delta builds on."""
    return f"residual/{round_.project_id}"

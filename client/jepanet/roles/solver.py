"""Solver: draw a salt, train on the assigned shards, seal, commit, reveal, serve.

    salt (on disk) ─▶ train(shards, seed of chain and salt) ─▶ seal (on disk) ─▶ commit ─▶ reveal ─▶ serve

Until the reveal nothing that leaves this process says which delta it is: no log line, no status.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace

from jepanet.errors import Rejected, Transient
from jepanet.protocol.assignment import training_seed
from jepanet.protocol.commitment import commitment
from jepanet.protocol.documents.messages import Provide
from jepanet.protocol.documents.spec import EXACT, RoundSpec
from jepanet.protocol.duties import PublishDelta, SendCommit, SendReveal, TrainShard
from jepanet.protocol.facts import LocalDeltaSealed, LocalFact
from jepanet.protocol.state import Round
from jepanet.records.codec import JOURNAL, Codec
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps import left_for_audits
from jepanet.roles.steps.admission import admission
from jepanet.roles.steps.left_for_audits import audit_place, shown_for
from jepanet.roles.steps.obtain import stored
from jepanet.roles.steps.preparation import (
    RoundDocuments,
    check_room,
    pin_of,
    round_documents,
    round_files,
)
from jepanet.roles.steps.stake import check_bond, ensure_stake
from jepanet.roles.steps.submit import endpoint_lags, submit
from jepanet.roles.steps.training_data import (
    Steps,
    assigned_shards,
    bring,
    obtain_first,
    read_at_once,
    set_damaged_aside,
)
from jepanet.storage.journal import StoredResidual
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json
from jepanet.types import Digest, RoundId, Standing
from jepanet.work.arriving import while_they_come
from jepanet.work.requests.machine import ON_CPU, ONE_PROCESS, CheckpointPlace
from jepanet.work.requests.request import Progress
from jepanet.work.requests.training import TrainDelta, TrainedDelta

log = get_logger("solver")

SALT_BYTES = 32
PROJECTS_CARRIED = 8
"""Projects (those sealed in last) whose residuals outlive their rounds. Anybody may open projects, and
what is pinned for good fills the store."""
_MADE = Codec(TrainedDelta, "made delta", spelling=JOURNAL)
TRAINING_NOTE = "training"
"""Of a round: what came of this node's training, and why nothing did if it was aborted."""
_RESIDUALS = "residuals"
"""Who pins the residuals that next deltas build on."""


class Solver:
    """Handlers of the solver's duties."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._missed: set[Digest] = set()
        """Training shards that a training waited for in vain."""

    def handlers(self) -> Handlers:
        return {
            TrainShard.__name__: self.train_shard,
            SendCommit.__name__: self.send_commit,
            SendReveal.__name__: self.send_reveal,
            PublishDelta.__name__: self.publish_delta,
        }

    async def train_shard(self, duty: TrainShard) -> Sequence[LocalFact]:
        """Trains and seals. What was drawn or sealed before a crash is taken up again, never replaced."""
        context = self._context
        round_ = context.round(duty.round_id)
        sealed = context.journal.salt(round_.id, context.me)
        if sealed is None:
            check_bond(context, round_.params.bond)
            await admission(context, round_)
            newest = context.journal.newest_residual(round_.project_id, context.me, round_.id, round_.base)
            # On disk before training depends on it: the delta could not be repeated without it.
            salt = context.journal.draw_salt(round_.id, context.me, context.random_bytes(SALT_BYTES))
            context.trace("salt:drawn")
            digest, residual = await self._train(round_, newest, salt)
            # Both are on disk before anything else may happen: without them the bond would be lost.
            context.journal.put_salt(round_.id, context.me, digest, salt, residual)
        self._forget_checkpoints()
        self._check_meant(round_)
        # Also after a crash, which may have left residuals of deltas that were never sealed.
        carried = context.journal.carried_residuals(context.me, PROJECTS_CARRIED)
        context.blobs.keep_only(carried, _RESIDUALS)
        return [self._sealed(round_.id)]

    async def _train(
        self, round_: Round, newest: StoredResidual | None, salt: bytes
    ) -> tuple[Digest, StoredResidual | None]:
        """The delta and, where its codec leaves something out, what that is. `newest`: see `_carried`."""
        context = self._context
        documents = await round_documents(context, round_)
        spec = documents.spec
        check_room(
            context, spec.recipe, spec.codec, spec.max_delta_bytes,
            "nothing can be done here: the round's proposer must allow {bytes} bytes or name another codec",
        )  # fmt: skip
        assigned = assigned_shards(context, round_, documents.recipe, documents.shards)
        shards = await obtain_first(context, round_, documents.recipe, assigned, self._missed)
        later = assigned[read_at_once(documents.recipe, assigned) :]
        probe, public = documents.shards.probe, documents.shards.public
        place = (context.chain_id, context.rounds_address, round_.project_id, round_.id, context.me)
        seed = training_seed(*place, round_.seed, salt)
        target, left = (context.work / f"{what}-{round_.id}.safetensors" for what in ("delta", "residual"))
        traced = context.work / f"trace-{round_.id}.json"
        before, shown = await self._shown(
            round_, spec, await asyncio.to_thread(self._carried, round_, newest, documents)
        )
        audit = audit_place(context, round_, spec, documents.recipe)
        exact = spec.audit is not None and spec.audit.mode == EXACT
        training = TrainDelta(
            round=round_files(context, round_, spec),
            shards=shards,
            probe=stored(context, probe.digest) if probe and documents.recipe.aligns else None,
            public=stored(context, public.digest) if public and documents.recipe.least else None,
            residual=stored(context, before) if before else None,
            seed=seed,
            target=target,
            residual_target=left,
            # Digests are compared: one thread of a CPU, whatever else this node has. Where distances are, a
            # CPU still: none was measured to a GPU.
            device=context.device if audit is None else ON_CPU.device,
            checkpoints=self._checkpoints(round_.id),
            trace_target=traced,
            processes=ONE_PROCESS if exact else context.processes,
            audit=audit,
        )
        try:
            steps = Steps()

            def note_step(step: Progress) -> None:
                steps.made()
                log.debug("solver.step", round=round_.id, step=step.step, steps=step.steps, loss=step.loss)

            run = context.jobs.run(training, on_progress=note_step)
            made = await while_they_come(run, bring(context, round_, later, steps, self._missed))
        except Transient:
            # It may be that a shard is damaged on the disk; what was trained so far is kept.
            await set_damaged_aside(context, assigned)
            raise
        except Rejected as error:
            # The round goes on without a commitment of ours; this is what remains to tell why.
            aborted = {"status": f"aborted({error.reason})", "why": error.message}
            context.journal.put_note(round_.id, TRAINING_NOTE, canonical_json(aborted).decode())
            if training.checkpoints:  # nobody trains this round again: what is left would only take room
                shutil.rmtree(training.checkpoints.folder, ignore_errors=True)
            raise
        self._missed.difference_update(item.digest for item in assigned)
        digest = context.blobs.put_file(target, made.digest, move=True, pin=pin_of(round_))
        residual = None
        if made.residual is not None:
            context.blobs.put_file(left, made.residual, move=True, pin=pin_of(round_))
            residual = StoredResidual(round_.project_id, spec.codec, made.residual, before, round_.base)
        if made.trace is not None:
            context.blobs.put_file(traced, made.trace, move=True, pin=pin_of(round_))
        if audit is not None and made.left is not None:
            taken = before if spec.feedback_milli else None
            left_for_audits.store(context, round_, audit, made.left, taken, shown)
        meant = {"base": round_.base.hex(), "spec": round_.params.spec.hex()}
        named = [item.digest.hex() for item in assigned]
        data = {"shard": named[0]} if len(named) == 1 else {"shards": named}
        note = {"seed": seed.hex(), **data, **meant, **_MADE.tree(replace(made, left=None))}
        context.journal.put_note(round_.id, TRAINING_NOTE, canonical_json(note).decode())
        log.info("solver.trained", round=round_.id, **made.metrics)
        return digest, residual

    def _checkpoints(self, round_id: RoundId) -> CheckpointPlace | None:
        place = self._context.checkpoints
        return place and replace(place, folder=place.folder / str(round_id))

    def _forget_checkpoints(self) -> None:
        """Removes those of rounds in which nothing is trained any more: sealed, ended, or no longer known."""
        context = self._context
        if context.checkpoints is None:
            return
        rounds = context.state().rounds
        for folder in context.checkpoints.folder.iterdir():
            round_ = rounds.get(RoundId(int(folder.name))) if folder.name.isdecimal() else None
            if round_ is None or round_.ended_at or context.journal.salt(round_.id, context.me) is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _carried(
        self, round_: Round, newest: StoredResidual | None, documents: RoundDocuments
    ) -> Digest | None:
        """What the delta before left out, if it left it under the same codec and the file is whole.

        One that is gone or damaged is given up: every later round of the project would fail on it.
        """
        if newest is None or newest.codec != documents.spec.codec:
            return None
        digest = Digest(newest.digest)
        self._context.blobs.pin(digest, pin_of(round_))
        try:
            self._context.blobs.read(digest, max_bytes=documents.recipe.max_model_bytes)
        except (Transient, Rejected) as error:
            log.warning(
                "residual.lost", round=round_.id, residual=digest, why=str(error),
                consequence="begins anew",
            )  # fmt: skip
            return None
        return digest

    async def _shown(
        self, round_: Round, spec: RoundSpec, carried: Digest | None
    ) -> tuple[Digest | None, tuple[Digest, ...]]:
        """What is carried, and what it is shown by where solvers are drawn for audits: else nothing is."""
        if carried is None or spec.audit is None or not spec.audit.probability_milli:
            return carried, ()
        shown = await shown_for(self._context, round_, spec, carried)
        if shown is None:
            log.info("residual.dropped", round=round_.id, residual=carried,
                     why="no auditor could tell what left it", consequence="begins anew")  # fmt: skip
            return None, ()
        return carried, shown

    def _check_meant(self, round_: Round) -> None:
        """Whether the sealed delta is one of this round. A fork deeper than the confirmations may have put
        another round in its place, there is but one seal a round, and a delta that does not fit loses the
        bond.

        Raises:
            Rejected: reason `round-replaced`; it was trained from another base or under another spec.
        """
        note = json.loads(self._context.journal.notes(round_.id).get(TRAINING_NOTE, "{}"))
        meant = {"base": round_.base.hex(), "spec": round_.params.spec.hex()}
        if any(note.get(name, value) != value for name, value in meant.items()):
            raise Rejected(
                f"the delta sealed for round {round_.id} is of a round that the chain has replaced",
                reason="round-replaced",
            )

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

    async def send_commit(self, duty: SendCommit) -> Sequence[LocalFact]:
        context = self._context
        contracts = context.contracts
        standing = (await contracts.lens.commitment(duty.round_id, context.me, "latest")).standing
        if standing is not Standing.NONE:
            return []
        round_ = context.round(duty.round_id)
        bond = round_.params.bond
        check_bond(context, bond)
        self._check_meant(round_)
        await ensure_stake(context, bond, f"commit/{duty.round_id}")
        word = self._sealed(duty.round_id).commitment
        proof = await admission(context, round_)
        call = contracts.rounds.commit(duty.round_id, word)
        if proof is not None:
            call = contracts.rounds.commit_listed(duty.round_id, word, proof)
        await submit(context, f"commit/{duty.round_id}", call)
        return []

    async def send_reveal(self, duty: SendReveal) -> Sequence[LocalFact]:
        context = self._context
        contracts = context.contracts
        standing = (await contracts.lens.commitment(duty.round_id, context.me, "latest")).standing
        if standing is Standing.NONE:  # this duty exists because the commit was confirmed
            raise endpoint_lags(f"reveal/{duty.round_id}")
        if standing is not Standing.COMMITTED:
            return []
        digest, salt = self._salt(duty.round_id)
        call = contracts.rounds.reveal(duty.round_id, digest, salt)
        await submit(context, f"reveal/{duty.round_id}", call)
        return []

    async def publish_delta(self, duty: PublishDelta) -> Sequence[LocalFact]:
        context = self._context
        digest = Digest(self._salt(duty.round_id)[0])
        context.blobs.publish(digest)
        # Who serves a delta serves these: of them nothing is said.
        left_for_audits.publish(context, duty.round_id)
        await context.say(Provide(duty.round_id, digest, context.network.addresses))
        log.debug("delta.provided", round=duty.round_id, digest=digest)
        return []

"""Proposer: opens rounds, has the beacon drawn, unseals the shard the beacon selected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from jepanet.cid import to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.protocol.commitment import evaluation_leaf, shard_proof, shard_root
from jepanet.protocol.documents.allow_list import allow_list_of, encode_allow_list
from jepanet.protocol.documents.messages import Provide
from jepanet.protocol.documents.project_folder import PROJECT_FILES
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec, decode_spec, encode_spec
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.duties import (
    AnnounceRound,
    CloseCommits,
    DrawBeacon,
    KeepRound,
    OpenRound,
    UnsealShard,
)
from jepanet.protocol.facts import LocalFact, RoundParams
from jepanet.protocol.models.ancestry import ancestry
from jepanet.protocol.models.keeping import ROUNDS_KEPT
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.state import Project, Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.documents import SealedShard
from jepanet.roles.steps.backbones import obtain_backbone
from jepanet.roles.steps.models import obtain_result
from jepanet.roles.steps.next_spec import next_spec
from jepanet.roles.steps.obtain import obtain
from jepanet.roles.steps.opening import check_set
from jepanet.roles.steps.preparation import check_room, pin_of, round_documents
from jepanet.roles.steps.sheets import obtain_sheet
from jepanet.roles.steps.stake import allow, withdraw_stake
from jepanet.roles.steps.submit import endpoint_lags, newest_known, submit
from jepanet.telemetry import get_logger
from jepanet.tokens import exact
from jepanet.types import Digest, Verdict

log = get_logger("proposer")

NO_DOCUMENT = EVERYBODY = bytes(32)
"""Terms without an extending document, and without an allow-list."""
_DATASET = "dataset"
"""Who pins the public files of a built dataset, and the first models of the projects made from it."""


class Proposer:
    """Handlers of the proposer's duties (`CloseCommits` and `DrawBeacon`, open to anyone, live here too)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {
            OpenRound.__name__: self.open_round,
            AnnounceRound.__name__: self.announce_round,
            CloseCommits.__name__: self.close_commits,
            DrawBeacon.__name__: self.draw_beacon,
            UnsealShard.__name__: self.unseal_shard,
            KeepRound.__name__: self.keep_round,
        }

    async def open_round(self, duty: OpenRound) -> Sequence[LocalFact]:
        context = self._context
        terms = context.terms
        if terms is None:
            raise Rejected("this node has no [proposer] terms", reason="not-configured")
        project = context.project(duty.project_id)
        active = (await context.contracts.lens.project(project.id, "latest")).active_round
        if active in context.state().rounds:  # one that is confirmed to have ended
            raise endpoint_lags(f"open/{project.id}/{duty.number}")
        if active:
            return []  # opened before a crash; its event arrives with the next confirmed blocks
        await check_set(context, project, terms)
        await asyncio.to_thread(self._serve_project, project)
        read = context.documents
        written = context.blobs.read(project.recipe, max_bytes=read.max_recipe_bytes)
        recipe = read.recipe(written)
        await obtain_backbone(context, recipe, pin=f"project/{project.id}")
        check_room(
            context, project.recipe, terms.codec, terms.max_delta_bytes,
            "set proposer.max_delta_mb so that {bytes} bytes fit, or a smaller proposer.codec",
        )  # fmt: skip
        listed = allow_list_of(terms.allow_list) if terms.allow_list else None
        document = None if listed is None else self._publish(project, encode_allow_list(listed))
        spec = await next_spec(context, project, terms, duty.number, document)
        if spec.audit is not None:
            read.check_audits(spec, written)
        digest = self._publish(project, encode_spec(spec))
        await self._fund(terms, f"open/{project.id}/{duty.number}")
        params = RoundParams(
            project_id=project.id,
            spec=digest,
            budget=terms.budget,
            fee=terms.fee,
            bond=terms.bond,
            unseal_bond=terms.unseal_bond,
            commit_duration=terms.commit_seconds,
            gap=terms.gap_seconds,
            reveal_duration=terms.reveal_seconds,
            verify_duration=terms.verify_seconds,
            challenge_duration=terms.challenge_seconds,
            max_solvers=terms.max_solvers,
            extension=NO_DOCUMENT,
            allow_list=EVERYBODY if listed is None else listed.root,
        )
        call = context.contracts.rounds.open_round(params)
        await submit(context, f"open/{project.id}/{duty.number}", call)
        log.info("round.opened", project=project.id, number=duty.number, spec=digest)
        return []

    def _publish(self, project: Project, document: bytes) -> Digest:
        blobs = self._context.blobs
        digest = blobs.put_bytes(document, pin=f"project/{project.id}")
        blobs.publish(digest)
        return digest

    async def _fund(self, terms: RoundTerms, key: str) -> None:
        """Has what the round puts in escrow in the wallet, and allows the contract to take it."""
        context = self._context
        token, rounds = context.contracts.token, context.contracts.rounds
        reward = (await rounds.configuration("latest")).keeper_reward
        needed = terms.budget + terms.fee + terms.unseal_bond + 2 * reward
        known = newest_known(context)
        held = await token.balance(context.me, known)
        if held < needed:
            # What earlier rounds returned is free stake.
            held += await withdraw_stake(context, needed - held, f"{key}/withdraw")
        if held < needed:
            # Not refused for good: the round opens as soon as the wallet is funded.
            raise Transient(
                f"a round needs {exact(needed)} tokens in escrow and the wallet holds {exact(held)}",
                remedy=f"send tokens to {context.me}, or take stake out (`jepanet stake`)",
            )
        await allow(context, needed, key)

    async def announce_round(self, duty: AnnounceRound) -> Sequence[LocalFact]:
        context = self._context
        round_ = context.round(duty.round_id)
        spec = round_.params.spec
        await context.say(Provide(duty.round_id, spec, context.network.addresses))
        if any(round_.params.allow_list):
            listed = decode_spec(context.blobs.read(spec, max_bytes=MAX_SPEC_BYTES)).allow_list
            if listed is not None:
                await context.say(Provide(duty.round_id, listed, context.network.addresses))
        return []

    async def close_commits(self, duty: CloseCommits) -> Sequence[LocalFact]:
        """Fixes the block whose randomness will draw the shard, unless somebody has."""
        contracts = self._context.contracts
        if not (await contracts.lens.round(duty.round_id, "latest")).beacon_block:
            call = contracts.rounds.close_commits(duty.round_id)
            await submit(self._context, f"close/{duty.round_id}", call)
        return []

    async def draw_beacon(self, duty: DrawBeacon) -> Sequence[LocalFact]:
        """Shows the contract the header of the fixed block.

        Where that block is out of its reach meanwhile, the same call fixes another one, and draws later.
        """
        context, contracts = self._context, self._context.contracts
        view = await contracts.lens.round(duty.round_id, "latest")
        if view.beacon_drawn:
            return []
        key = f"beacon/{duty.round_id}/{duty.block_number}"
        if view.beacon_block != duty.block_number:  # its event was confirmed here
            raise endpoint_lags(key)
        header = await context.header(duty.block_number)
        await submit(context, key, contracts.rounds.draw_beacon(duty.round_id, header))
        return []

    async def unseal_shard(self, duty: UnsealShard) -> Sequence[LocalFact]:
        """Publishes the selected shard and proves that the project fixed it at creation.

        The beacon is confirmed and commits are closed, so nobody can train on the bytes any more.
        """
        context = self._context
        round_ = context.round(duty.round_id)
        project = context.project(round_.project_id)
        # Every file is hashed on the way: not on the event loop.
        sealed = await asyncio.to_thread(self._sealed, project)
        shard = sealed[duty.index]
        digest = context.blobs.put_file(shard.path, shard.digest, move=False, pin=pin_of(round_))
        context.blobs.publish(digest)
        contracts = context.contracts
        if not (await contracts.lens.round(round_.id, "latest")).unsealed:
            proof = shard_proof(_leaves(sealed), duty.index)
            call = contracts.rounds.unseal(round_.id, digest, shard.blinding, proof)
            await submit(context, f"unseal/{round_.id}", call)
        await context.say(Provide(round_.id, digest, context.network.addresses))
        return []

    async def keep_round(self, duty: KeepRound) -> Sequence[LocalFact]:
        """Holds and serves, as long as the project lives, what leads a stranger to the round's model.

        That is its sheet and spec and what the model is derived from: the coded update, where the spec has a
        rule for one, and else the deltas that were merged. Whole, the newest model is kept, each one that has
        none before it within `ROUNDS_KEPT` rounds, and any that could not be derived from the one before it.
        """
        context = self._context
        round_ = context.round(duty.round_id)
        if round_.recorded is None:
            return []
        pin = f"project/{round_.project_id}"
        documents = await round_documents(context, round_)
        context.blobs.pin(round_.params.spec, pin)
        sheet = await obtain_sheet(context, round_.recorded.sheet, pin=pin, turn=round_.id)
        reached = await obtain_result(context, round_, documents.recipe, pin=pin_of(round_))
        context.blobs.keep_only((sheet.model,), f"{pin}/newest")
        # More links than its own: rounds before it were missed here, and nothing of them is kept for good.
        if reached.how == "fetched" or reached.links > 1 or self._whole_is_due(round_, pin):
            context.blobs.pin(sheet.model, pin)
        if sheet.update is not None and documents.spec.update is not None:
            cap = self._update_cap(round_, documents.spec.update.codec)
            await obtain(context, sheet.update, kind="update", max_bytes=cap, pin=pin)
        deltas = await self._keep_deltas(sheet, documents.spec, pin)
        log.info("round.kept", round=round_.id, deltas=deltas, model=reached.how)
        return []

    async def _keep_deltas(self, sheet: ScoreSheet, spec: RoundSpec, pin: str) -> int:
        """The deltas that the model is derived from; with `keep_deltas` all that could be measured again.

        A delta that was not merged and that nobody serves any more is no part of the result.
        """
        context, kept = self._context, 0
        derived_by_deltas = sheet.published and sheet.update is None
        for row in sheet.rows:
            needed = derived_by_deltas and row.verdict is Verdict.ACCEPTED
            if not (needed or context.keep_deltas):
                continue
            cap = spec.max_delta_bytes
            try:
                await obtain(context, row.digest, kind="delta", max_bytes=cap, pin=pin)
                kept += 1
            except (Transient, Rejected) as error:
                if row.verdict is Verdict.ACCEPTED:
                    raise
                log.info("delta.dropped", round=sheet.round_id, solver=row.solver, why=str(error))
        return kept

    def _whole_is_due(self, round_: Round, pin: str) -> bool:
        """Whether none of the last models before a round's own is kept whole for the project.

        A state remembers the newest rounds alone, so that no way leads back to the first model for ever; and
        nobody shall have to walk hundreds of links.
        """
        context, model = self._context, round_.recorded.model if round_.recorded else round_.base
        steps = ancestry(context.state(), round_.project_id, model).steps
        whole = {pin, _DATASET}
        return not any(whole & context.blobs.pins(step.round.base) for step in steps[:ROUNDS_KEPT])

    def _update_cap(self, round_: Round, codec: str) -> int:
        context, read = self._context, self._context.documents
        recipe = context.project(round_.project_id).recipe
        return read.encoded_bytes(context.blobs.read(recipe, max_bytes=read.max_recipe_bytes), codec)

    def serve_dataset(self, directory: Path) -> None:
        """Puts the public files of a built dataset and of the projects made from it into the blob store.

        Sealed shards stay where they are, private, until the beacon selects them.
        """
        blobs = self._context.blobs
        public = [*self._context.documents.own_dataset(directory).public]
        public += sorted((directory / PROJECT_FILES).glob("*"))
        for path in public:
            blobs.publish(blobs.put_file(path, move=False, pin=_DATASET))
        log.info("dataset.served", files=len(public), directory=str(directory))

    def _serve_project(self, project: Project) -> None:
        """Serves what `jepanet project create` wrote after this node had started.

        Raises:
            Transient: nobody could train, since the project's documents or first model are not to be found.
        """
        context = self._context
        wanted = [project.recipe, project.dataset]
        if not project.rounds:
            wanted.append(project.model)
        if all(context.blobs.path(digest) is not None for digest in wanted):
            return
        if context.dataset is not None:
            self.serve_dataset(context.dataset)
        missing = [to_cid(digest) for digest in wanted if context.blobs.path(digest) is None]
        if missing:
            raise Transient(
                f"files of project {project.id} are missing: {', '.join(missing)}",
                remedy="set proposer.dataset to the folder the project was created from",
            )

    def _sealed(self, project: Project) -> Sequence[SealedShard]:
        if self._context.dataset is None:
            raise Fatal(
                f"project {project.id} needs its sealed evaluation shards and no dataset is configured",
                remedy="set proposer.dataset to the folder `jepanet dataset build` wrote",
                code=Exit.CONFIG,
            )
        sealed = self._context.documents.own_dataset(self._context.dataset).sealed
        if shard_root(_leaves(sealed)) != project.evaluation_root:
            raise Fatal(
                f"the sealed shards in {self._context.dataset} are not those of project {project.id}",
                remedy="point proposer.dataset at the folder the project was created from",
                code=Exit.DATASET,
            )
        return sealed


def _leaves(sealed: Sequence[SealedShard]) -> list[bytes]:
    return [evaluation_leaf(item.index, item.digest, item.blinding) for item in sealed]

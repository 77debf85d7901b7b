"""The exits: settle, cancel, claim, release, slash. What they pay arrives as free stake."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.all import Result
from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.errors import Rejected, Transient
from jepanet.protocol.duties import (
    ReleaseBond,
    SendCancel,
    SendClaim,
    SendSettle,
    SlashEquivocation,
    SlashInvalid,
    SlashNonReveal,
)
from jepanet.protocol.facts import LocalFact
from jepanet.protocol.state import Round, SignedResult
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps.preparation import pin_of
from jepanet.roles.steps.sheets import aside, obtain_sheet
from jepanet.roles.steps.signed_results import NO_EXTENSION, result_message
from jepanet.roles.steps.submit import endpoint_lags, standing_of, submit
from jepanet.telemetry import get_logger
from jepanet.types import Address, Phase, RoundId, Standing, Verdict

log = get_logger("settlement")

_COSTS_BOND = (Verdict.INVALID, Verdict.EXCLUDED)


class Settlement:
    """Handlers of the duties every role has at the end of a round."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {
            SendSettle.__name__: self.send_settle,
            SendCancel.__name__: self.send_cancel,
            SendClaim.__name__: self.send_claim,
            ReleaseBond.__name__: self.release_bond,
            SlashNonReveal.__name__: self.slash_non_reveal,
            SlashInvalid.__name__: self.slash_invalid,
            SlashEquivocation.__name__: self.slash_equivocation,
        }

    async def send_settle(self, duty: SendSettle) -> Sequence[LocalFact]:
        context, contracts = self._context, self._context.contracts
        phase = await contracts.lens.phase(duty.round_id, "latest")
        recorded = context.round(duty.round_id).recorded
        if phase < Phase.SETTLEABLE or recorded is None:
            raise endpoint_lags(f"settle/{duty.round_id}")
        if phase is Phase.SETTLEABLE:
            call = contracts.rounds.settle(duty.round_id, recorded.shown)
            await submit(context, f"settle/{duty.round_id}", call)
        return []

    async def send_cancel(self, duty: SendCancel) -> Sequence[LocalFact]:
        contracts = self._context.contracts
        phase = await contracts.lens.phase(duty.round_id, "latest")
        if phase <= Phase.VERIFY:
            raise endpoint_lags(f"cancel/{duty.round_id}")
        if phase is Phase.CANCELLABLE:
            call = contracts.rounds.cancel(duty.round_id)
            await submit(self._context, f"cancel/{duty.round_id}", call)
        return []

    async def slash_non_reveal(self, duty: SlashNonReveal) -> Sequence[LocalFact]:
        contracts = self._context.contracts
        key = f"slash/{duty.round_id}/{duty.solver}"
        standing = await standing_of(self._context, key, duty.round_id, duty.solver)
        if standing is Standing.COMMITTED:
            call = contracts.rounds.slash_non_reveal(duty.round_id, duty.solver)
            await submit(self._context, key, call)
        return []

    async def slash_invalid(self, duty: SlashInvalid) -> Sequence[LocalFact]:
        """Takes what the settled result takes: all of an invalid delta's bond, a part of an excluded one's.

        An excluded solver may stay away until its whole bond is released, so its row is shown for it.
        """
        context = self._context
        round_ = context.round(duty.round_id)
        if round_.recorded is None:
            return []
        contracts = context.contracts
        sheet = await obtain_sheet(context, round_.recorded.sheet, pin=pin_of(round_), turn=round_.id)
        costing = {row.solver for row in sheet.rows if row.verdict in _COSTS_BOND}
        # A thousand proofs take seconds, and as many times more one by one.
        proven = await aside(context, lambda: sheet.proven(costing), turn=round_.id)
        for row in sheet.rows:
            found = proven.get(row.solver)
            if found is None:
                continue
            key = f"slash-invalid/{round_.id}/{row.solver}"
            standing = await _standing_since_reveal(context, key, round_.id, row.solver)
            if standing is Standing.REVEALED:
                take = contracts.rounds.slash_invalid
                if row.verdict is Verdict.EXCLUDED:
                    take = contracts.rounds.claim
                await submit(context, key, take(round_.id, *found))
                log.info("bond.slashed", round=round_.id, solver=row.solver, reason=row.reason)
        return []

    async def slash_equivocation(self, duty: SlashEquivocation) -> Sequence[LocalFact]:
        """Takes the stake of a verifier that signed two results: any two that it truly signed.

        Raises:
            Transient: a sheet is not to be had, and without it nobody knows what was signed.
            Rejected: reason `no-equivocation`; less than two bear the verifier's signature.
        """
        context, who = self._context, duty.verifier
        round_ = context.round(duty.round_id)
        off_chain = context.off_chain(round_.id)
        signed: list[tuple[Result, bytes]] = []
        missing: Transient | None = None
        for item in (*off_chain.results, *off_chain.conflicting):
            if item.coordinator != who:
                continue
            try:
                signed.append((await self._signed_result(round_, item), item.signature))
            except Rejected as error:
                log.info("result.unsigned", round=round_.id, verifier=who, why=str(error))
            except Transient as error:
                missing = error
        if len(signed) < 2:
            raise missing or Rejected(f"{who} has not signed two results", reason="no-equivocation")
        call = context.contracts.rounds.slash_equivocation(*signed[0], *signed[1])
        await submit(context, f"equivocation/{round_.id}/{who}", call)
        log.info("stake.slashed", round=round_.id, verifier=who)
        return []

    async def _signed_result(self, round_: Round, said: SignedResult) -> Result:
        """What a signature is over. Raises: Transient (no sheet); Rejected (no sheet, or not signed so)."""
        context = self._context
        sheet = await obtain_sheet(context, said.sheet, pin=pin_of(round_), turn=None)
        typed = result_message(context, sheet, said.sheet, said.improvement)
        if sheet.round_id != round_.id or recover_typed(typed, said.signature) != said.coordinator:
            raise Rejected("the signature is not over this result", reason="bad-signature")
        fields = (sheet.root, sheet.model, said.sheet, sheet.payout, said.improvement, NO_EXTENSION)
        return Result(round_.id, *fields)

    async def send_claim(self, duty: SendClaim) -> Sequence[LocalFact]:
        """Claims this account's leaf: pay and bond of a solver, fee of a coordinator."""
        context = self._context
        round_ = context.round(duty.round_id)
        recorded = round_.recorded
        if recorded is None:
            return []
        standing = await _standing_since_reveal(context, f"claim/{round_.id}", round_.id, context.me)
        if standing not in (Standing.REVEALED, Standing.VERIFIER):  # claimed before
            return []
        sheet = await obtain_sheet(context, recorded.sheet, pin=pin_of(round_), turn=round_.id)
        mine = sheet.leaf_of(context.me)
        if mine is None and standing is Standing.REVEALED:
            # The bond is released some time after the settlement instead.
            raise Rejected(f"the result of round {round_.id} has no row for this solver", reason="no-row")
        if mine is None or mine[0].verdict is Verdict.INVALID:
            log.info("claim.skipped", round=round_.id, verdict=mine[0].verdict.name if mine else None)
            return []
        leaf, proof = mine
        call = context.contracts.rounds.claim(round_.id, leaf, proof)
        await submit(context, f"claim/{round_.id}", call)
        log.info("claim.done", round=round_.id, amount=leaf.amount, verdict=leaf.verdict.name)
        return []

    async def release_bond(self, duty: ReleaseBond) -> Sequence[LocalFact]:
        context, key = self._context, f"release/{duty.round_id}"
        if await _standing_since_reveal(context, key, duty.round_id, context.me) is Standing.REVEALED:
            # With the bond comes a share of the unseal bond, where the proposer forfeited it.
            await submit(context, key, context.contracts.rounds.release_bond(duty.round_id))
        return []


async def _standing_since_reveal(
    context: Context, what: str, round_id: RoundId, account: Address
) -> Standing | None:
    """As `standing_of`, of a solver whose reveal was confirmed here, or a verifier."""
    standing = await standing_of(context, what, round_id, account)
    if standing is Standing.COMMITTED:
        raise endpoint_lags(what)
    return standing

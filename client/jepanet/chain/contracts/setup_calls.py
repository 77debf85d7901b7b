"""Writes to TrainingRounds before any round: stakes, verifier sets, projects, the owner's pause."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.bound import BoundContract
from jepanet.chain.endpoints.answers import Receipt
from jepanet.types import Address


class SetupCalls(BoundContract):
    """Nothing is sent: every method returns an `UnsignedCall`."""

    name = "TrainingRounds"

    # ------------------------------------------------------------------ stakes

    def deposit(self, amount: int, account: Address) -> UnsignedCall:
        """Adds approved tokens to an account's free stake. Reasons: ZeroAmount, EnforcedPause, TokenTookFee,
        ERC20InsufficientAllowance."""
        return self._write("deposit", amount, account)

    def deposit_with_permit(
        self, amount: int, account: Address, deadline: int, v: int, r: bytes, s: bytes
    ) -> UnsignedCall:
        """`deposit` with an ERC-2612 permit for this contract instead of an approval."""
        return self._write("depositWithPermit", amount, account, deadline, v, r, s)

    def withdraw(self, amount: int, to: Address) -> UnsignedCall:
        """Pays free stake out to `to`, for accounts that never joined a verifier set.
        Reasons: InsufficientStake, VerifierMustUnbond, InDebt."""
        return self._write("withdraw", amount, to)

    def request_unbond(self, amount: int) -> UnsignedCall:
        """A verifier moves free stake on its way out; each request matures on its own.
        Reasons: InsufficientStake, StakeHeld, TooManyUnbondRequests."""
        return self._write("requestUnbond", amount)

    def withdraw_unbonded(self, to: Address) -> UnsignedCall:
        """Pays every matured request out to `to`. Reasons: NothingToWithdraw, StakeHeld, InDebt."""
        return self._write("withdrawUnbonded", to)

    def collect_debt(self, account: Address) -> UnsignedCall:
        """Takes what an account owes from its stake; a tenth to the caller. Reasons: NoDebt."""
        return self._write("collectDebt", account)

    # ------------------------------------------------------------------ verifier sets

    def create_verifier_set(
        self, members: Sequence[Address], threshold: int, cap: int, max_hold: int
    ) -> UnsignedCall:
        """Registers a set of at most 32 members with the caller as curator. Members are sorted here as the
        contract wants them; the threshold is more than half. `cap`: most escrow of all its open rounds (wei,
        below 2**96); `max_hold`: most seconds that one round may hold the members.
        Reasons: BadMemberCount, BadThreshold, BadLimits, MembersNotAscending (a duplicate)."""
        ordered = sorted(members, key=lambda member: int(member, 16))
        return self._write("createVerifierSet", ordered, threshold, cap, max_hold)

    def created_set(self, receipt: Receipt) -> int | None:
        """The id of the set that a transaction created; None if it created none."""
        return self._created(receipt, "VerifierSetCreated")

    def admit(self, set_id: int, proposer: Address, *, admitted: bool) -> UnsignedCall:
        """The curator allows or forbids `proposer` to open rounds with the set. Reasons: NotCurator."""
        return self._write("admit", set_id, proposer, admitted)

    def join(self, set_id: int) -> UnsignedCall:
        """A member consents: its stake will be held by rounds. Reasons: NotMember, AlreadyJoined,
        ContractCannotSign, TooManySets."""
        return self._write("join", set_id)

    def leave(self, set_id: int) -> UnsignedCall:
        """A member withdraws: no new round can use the set. Reasons: NotJoined."""
        return self._write("leave", set_id)

    # ------------------------------------------------------------------ projects

    def create_project(
        self,
        *,
        recipe: bytes,
        dataset: bytes,
        model: bytes,
        evaluation_root: bytes,
        evaluation_count: int,
        verifier_set: int,
        metadata: bytes,
    ) -> UnsignedCall:
        """Registers a project owned by the caller; everything but the model is fixed for good.
        `evaluation_root` is `commitment.shard_root`. Reasons: ZeroDigest, BadEvaluationCount (1 to 256),
        UnknownVerifierSet."""
        return self._write(
            "createProject",
            recipe,
            dataset,
            model,
            evaluation_root,
            evaluation_count,
            verifier_set,
            metadata,
        )

    def created_project(self, receipt: Receipt) -> int | None:
        """The id of the project that a transaction created; None if it created none."""
        return self._created(receipt, "ProjectCreated")

    # ------------------------------------------------------------------ owner

    def pause(self) -> UnsignedCall:
        """Owner: stops deposits and openings, nothing else."""
        return self._write("pause")

    def unpause(self) -> UnsignedCall:
        """Owner: allows both again."""
        return self._write("unpause")

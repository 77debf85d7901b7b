"""`verifiers`: sets of coordinators, seats in them, and who opens rounds with one; the node itself sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.errors import Fatal
from jepanet.operations.funds.precheck import MAX_MEMBERS, check_members
from jepanet.operations.views.funds import Admission, CreatedSet, JoinedSet, LeftSet
from jepanet.records.marks import SAFE_INTEGER, Range, Size
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.sending import TAKES, Admitting, NewSet, Sendings
from jepanet.rpc.method import Method, Scope
from jepanet.rpc.offered.texts import ADDRESS, TOKENS, address_of

SetNumber = Annotated[int, Range(1, SAFE_INTEGER), "the number of the set"]


@dataclass(frozen=True, slots=True)
class SetParams:
    set: SetNumber


@dataclass(frozen=True, slots=True)
class AdmitParams:
    set: SetNumber
    proposer: Annotated[str, ADDRESS, "who may open rounds with it"]
    admitted: Annotated[bool, "false: no longer; open rounds go on"] = True


@dataclass(frozen=True, slots=True)
class CreateParams:
    members: Annotated[tuple[Annotated[str, ADDRESS], ...], Size(1, MAX_MEMBERS), "who is to sign results"]
    threshold: Annotated[int, Range(1, MAX_MEMBERS), "signatures that a result needs"]
    cap: Annotated[
        str | None, TOKENS, "10**-18 of a token: most escrow of its open rounds; left out: two rounds'"
    ] = None
    max_hold: Annotated[
        int | None, Range(1, (1 << 32) - 1), "seconds that a round holds stake at most; left out: two rounds'"
    ] = None


def methods(sendings: Sendings) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def create(given: CreateParams) -> CreatedSet:
        try:
            members = check_members(given.members, given.threshold)
        except Fatal as error:
            raise Refused(Code.INVALID_PARAMS, str(error)) from None
        cap = None if given.cap is None else int(given.cap)
        return await sendings.create.carry_out(NewSet(members, given.threshold, cap, given.max_hold))

    async def admit(given: AdmitParams) -> Admission:
        wanted = Admitting(given.set, address_of(given.proposer), given.admitted)
        return await sendings.admit.carry_out(wanted)

    async def join(given: SetParams) -> JoinedSet:
        return await sendings.join.carry_out(given.set)

    async def leave(given: SetParams) -> LeftSet:
        return await sendings.leave.carry_out(given.set)

    return (
        Method(
            "verifiers.create",
            "Registers a set of verifiers, whose curator is this wallet; the node itself sends it",
            CreateParams,
            CreatedSet,
            create,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "verifiers.admit",
            "As a set's curator: lets a proposer open rounds with it, or no longer; the node itself sends it",
            AdmitParams,
            Admission,
            admit,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "verifiers.join",
            "Consents to this wallet's seat in a set, its cap and its longest hold; the node itself sends it",
            SetParams,
            JoinedSet,
            join,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "verifiers.leave",
            "Gives this wallet's seat in a set up: no new round can use it; the node itself sends it",
            SetParams,
            LeftSet,
            leave,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
    )

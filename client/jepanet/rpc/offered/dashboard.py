"""`dashboard`: lets a browser in, by a code that its page exchanges for a token once."""

from __future__ import annotations

from jepanet.operations.views.node import Invitation
from jepanet.operations.views.observing import Served
from jepanet.rpc.method import Method, NoParams, Scope
from jepanet.rpc.transport.invitations import SECONDS, Invitations


def methods(invitations: Invitations) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def invite(_: NoParams) -> Invitation:
        return Invitation(invitations.make(Scope.READ), SECONDS)

    async def invite_operator(_: NoParams) -> Invitation:
        return Invitation(invitations.make(Scope.OPERATE), SECONDS)

    async def operates(_: NoParams) -> bool:
        return True

    return (
        serving("node"),
        Method(
            "dashboard.operates",
            "True, to a token of scope `operate`: by which the page knows what it may offer",
            NoParams,
            bool,
            operates,
            Scope.OPERATE,
        ),
        Method(
            "dashboard.invite",
            "A code that the dashboard exchanges for the token of scope `read`, once and soon",
            NoParams,
            Invitation,
            invite,
        ),
        Method(
            "dashboard.invite_operator",
            "The same for the token of scope `operate`",
            NoParams,
            Invitation,
            invite_operator,
            Scope.OPERATE,
        ),
    )


def serving(serves: str) -> Method:
    """`dashboard.serves`: by which the page knows whom it is of."""

    async def told(_: NoParams) -> Served:
        return Served(serves)

    return Method(
        "dashboard.serves", "Whom the dashboard is of: a `node` or an `observer`", NoParams, Served, told
    )

"""`jepanet verifiers`: the sets of coordinators whose signatures a round needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.observing import observer_options
from jepanet.interface.sending import sent
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import (
    ID,
    config_option,
    emit,
    json_option,
    pairs,
    shown,
    table,
    tokens,
)

if TYPE_CHECKING:
    from jepanet.operations.access import SigningAccess
    from jepanet.operations.views.funds import CreatedSet, VerifierSet
    from jepanet.settings.config import Observer


@click.group("verifiers", cls=StrictGroup)
def command() -> None:
    """Create verifier sets, take a seat in one, and say who may open rounds with it.

    A running node with [rpc] is asked to send what is to be sent, as for `jepanet stake`.

    \b
    Examples:
      jepanet verifiers create 0xAbc… 0xDef… 0x123… --threshold 2 --config node.toml
      jepanet verifiers join 4 --config coordinator.toml
      jepanet verifiers admit 4 0x456… --config node.toml
    """


@command.command("create")
@click.argument("members", nargs=-1, required=True)
@click.option("--threshold", required=True, type=click.IntRange(1, 32), help="Signatures needed: over half.")
@click.option(
    "--cap",
    help="Tokens: most escrow (budget and fee) of all its open rounds; default: two rounds of [proposer].",
)
@click.option(
    "--max-hold", type=click.IntRange(1, (1 << 32) - 1),
    help="Seconds: longest that one round may hold its members' stake, from its opening to the end of the "
    "arbiter's time; default: twice a round of [proposer].",
)  # fmt: skip
@config_option
@json_option
def create(
    members: tuple[str, ...],
    threshold: int,
    cap: str | None,
    max_hold: int | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Register a set of MEMBERS; it works once every member has joined.

    Its cap and longest hold never change, so joining it consents to these. Rounds are opened with it by this
    wallet, and by whom it admits.

    Example: jepanet verifiers create 0xAbc… --threshold 1 --cap 500 --config node.toml
    """
    from jepanet.operations.funds.precheck import check_members
    from jepanet.operations.funds.verifier_sets import create_set, limits_of
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import amount

    addresses = check_members(members, threshold)
    most = None if cap is None else amount(cap, "--cap")

    config = load_config(config_path)

    async def create_here(access: SigningAccess) -> CreatedSet:
        limits = await limits_of(access.chain, config.proposer, most, max_hold)
        return await create_set(access, addresses, threshold, limits)

    made = sent(
        config,
        "create-set",
        lambda node: node.verifiers_create(
            addresses, threshold, None if most is None else str(most), max_hold
        ),
        create_here,
    )
    emit(made, as_json, lambda value: pairs("Verifier set (cap in tokens)", shown(value)))


@command.command("admit")
@click.argument("set_id", type=ID)
@click.argument("proposer")
@click.option("--revoke", is_flag=True, help="Forbid it again; open rounds go on.")
@config_option
@json_option
def admit(set_id: int, proposer: str, revoke: bool, config_path: Path, as_json: bool) -> None:
    """Let PROPOSER open rounds with SET_ID, which this wallet created.

    Example: jepanet verifiers admit 4 0xAbc… --config node.toml
    """
    from jepanet.operations.funds.verifier_sets import admit as allow
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import accounts

    (who,) = accounts([proposer])

    made = sent(
        load_config(config_path),
        f"admit/{set_id}",
        lambda node: node.verifiers_admit(set_id, who, not revoke),
        lambda access: allow(access, set_id, who, admitted=not revoke),
    )
    title = "So before, nothing sent" if made.unchanged else "Admitted" if made.admitted else "Revoked"
    emit(made, as_json, lambda value: pairs(title, shown(value)))


@command.command("join")
@click.argument("set_id", type=ID)
@config_option
@json_option
def join(set_id: int, config_path: Path, as_json: bool) -> None:
    """Consent to this wallet's seat in SET_ID, and to the set's cap and longest hold (`verifiers show`).

    From then on the minimum stays free stake until it leaves, and is held while rounds of the set are open.

    Example: jepanet verifiers join 4 --config coordinator.toml
    """
    from jepanet.operations.funds.verifier_sets import join_set
    from jepanet.settings.config import load_config

    made = sent(
        load_config(config_path),
        f"join/{set_id}",
        lambda node: node.verifiers_join(set_id),
        lambda access: join_set(access, set_id),
    )
    title = "Joined before, nothing sent" if made.joined_before else "Joined"
    emit(made, as_json, lambda value: pairs(f"{title} (amounts in tokens; native in ether)", shown(value)))


@command.command("leave")
@click.argument("set_id", type=ID)
@config_option
@json_option
def leave(set_id: int, config_path: Path, as_json: bool) -> None:
    """Give up this wallet's seat in SET_ID: no new round can use the set. Open rounds still hold the stake.

    Example: jepanet verifiers leave 4 --config coordinator.toml
    """
    from jepanet.operations.funds.verifier_sets import leave_set
    from jepanet.settings.config import load_config

    made = sent(
        load_config(config_path),
        f"leave/{set_id}",
        lambda node: node.verifiers_leave(set_id),
        lambda access: leave_set(access, set_id),
    )
    title = "Not joined, nothing sent" if made.left_before else "Left"
    emit(made, as_json, lambda value: pairs(title, shown(value)))


@command.command("show")
@click.argument("set_id", type=ID)
@observer_options
@json_option
def show(set_id: int, where: Observer, as_json: bool) -> None:
    """Show threshold, limits, escrow at risk against stake at risk, and each member: joined, stake, debt.

    Example: jepanet verifiers show 4 --config node.toml
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.funds.verifier_sets import show_set

    async def found() -> VerifierSet:
        async with open_chain(where.chain) as chain:
            return await show_set(chain, set_id)

    def draw(value: VerifierSet) -> None:
        limits = {name: item for name, item in shown(value).items() if name != "members"}
        pairs(f"Set {value.set} (amounts in tokens)", limits)
        active = "active" if value.active else "waiting for members to join"
        rows = [
            (
                item.address, "yes" if item.joined else "no", tokens(item.stake_free),
                tokens(item.stake_unbonding), tokens(item.debt),
            )
            for item in value.members
        ]  # fmt: skip
        title = f"Set {value.set}: {value.threshold} of {len(rows)}, {active} (amounts in tokens)"
        table(title, ("member", "joined", "free stake", "unbonding", "debt"), rows)

    emit(asyncio.run(found()), as_json, draw)

"""`jepanet verifiers`: the sets of coordinators whose signatures a round needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import ID, config_option, emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.funds import CreatedSet, JoinedSet, VerifierSet
    from jepanet.settings.config import Observer


@click.group("verifiers", cls=StrictGroup)
def command() -> None:
    """Create verifier sets and take a seat in one.

    \b
    Examples:
      jepanet verifiers create 0xAbc… 0xDef… 0x123… --threshold 2 --config node.toml
      jepanet verifiers join 4 --config coordinator.toml
    """


@command.command("create")
@click.argument("members", nargs=-1, required=True)
@click.option("--threshold", required=True, type=click.IntRange(1, 32), help="Signatures needed: over half.")
@config_option
@json_option
def create(members: tuple[str, ...], threshold: int, config_path: Path, as_json: bool) -> None:
    """Register a set of MEMBERS; it works once every member has joined.

    Example: jepanet verifiers create 0xAbc… --threshold 1 --config node.toml
    """
    from jepanet.operations.access import open_signing
    from jepanet.operations.funds.precheck import check_members
    from jepanet.operations.funds.verifier_sets import create_set
    from jepanet.settings.config import load_config

    addresses = check_members(members, threshold)

    async def made() -> CreatedSet:
        async with open_signing(load_config(config_path)) as access:
            return await create_set(access, addresses, threshold)

    emit(asyncio.run(made()), as_json, lambda value: pairs("Verifier set", shown(value)))


@command.command("join")
@click.argument("set_id", type=ID)
@config_option
@json_option
def join(set_id: int, config_path: Path, as_json: bool) -> None:
    """Consent to this wallet's seat in SET_ID. Its stake is held while rounds of the set are open.

    Example: jepanet verifiers join 4 --config coordinator.toml
    """
    from jepanet.operations.access import open_signing
    from jepanet.operations.funds.verifier_sets import join_set
    from jepanet.settings.config import load_config

    async def joined() -> JoinedSet:
        async with open_signing(load_config(config_path)) as access:
            return await join_set(access, set_id)

    made = asyncio.run(joined())
    title = "Joined before, nothing sent" if made.joined_before else "Joined"
    emit(made, as_json, lambda value: pairs(f"{title} (amounts in tokens; native in ether)", shown(value)))


@command.command("show")
@click.argument("set_id", type=ID)
@observer_options
@json_option
def show(set_id: int, where: Observer, as_json: bool) -> None:
    """Show members, threshold and who has joined.

    Example: jepanet verifiers show 4 --config node.toml
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.funds.verifier_sets import show_set

    async def found() -> VerifierSet:
        async with open_chain(where.chain) as chain:
            return await show_set(chain, set_id)

    def draw(value: VerifierSet) -> None:
        active = "active" if value.active else "waiting for members to join"
        rows = [(item.address, "yes" if item.joined else "no") for item in value.members]
        table(f"Set {value.set}: {value.threshold} of {len(rows)}, {active}", ("member", "joined"), rows)

    emit(asyncio.run(found()), as_json, draw)

#!/usr/bin/env python3
"""Deploys the contracts to a real chain, and verifies deployments.

    deploy/contracts.py plan   ARGUMENTS [--chain-id N --rpc URL]
    deploy/contracts.py send   ARGUMENTS --chain-id N --config FILE [--yes]
    deploy/contracts.py verify DEPLOYMENT --rpc URL [--arguments ARGUMENTS | --salt SALT]

ARGUMENTS is a TOML file as deploy/example.toml, DEPLOYMENT the JSON file that `send` writes and nodes read.
`plan` sends nothing and needs no key; without an endpoint it asks nobody. See deploy/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.create2 import Creation
from jepanet.errors import Exit
from jepanet.interface.edge import ended
from jepanet.lifetime import end_like_interrupt
from jepanet.operations.deploying import (
    OFFICES,
    Examined,
    check,
    foresee,
    open_endpoints,
    payer,
    send,
    survey,
)
from jepanet.settings.deployment_arguments import (
    DeploymentArguments,
    load_arguments,
    load_deployer,
    read_salt,
)
from jepanet.telemetry import configure_logging
from jepanet.tokens import exact, tokens

SECONDS = ("unbond_delay", "minimum_phase_duration", "minimum_challenge_duration", "resolve_duration")
AMOUNTS = ("minimum_budget", "minimum_bond", "minimum_verifier_stake", "keeper_reward")


def show_plan(arguments: DeploymentArguments) -> None:
    """Addresses, bytes and gas."""
    pieces = foresee(arguments)
    print(f"{'':<16} {'address':<42} {'creation':>9} {'deployed':>9} {'gas, about':>11}")
    for item in pieces:
        print(f"{item.name:<16} {item.address} {item.creation:>9,} {item.deployed:>9,} {item.gas:>11,}")
    total = sum(item.gas for item in pieces)
    size = sum(item.deployed for item in pieces)
    print(f"{'in all':<16} {'':<42} {sum(item.creation for item in pieces):>9,} {size:>9,} {total:>11,}")


def show_chain(found: Examined) -> None:
    """What was found out about the chain."""
    fitness = found.fitness
    print(f"\nchain {fitness.chain_id} is fit: every block brings randomness, and its header gives its hash")
    print(f"  head {fitness.head}, a block every {fitness.interval:.3g} s")
    print(f"  the draw: {fitness.draw_after:.0f} s after COMMIT was closed")
    print("  GAP and REVEAL together must be longer than that, by far")
    window = fitness.reach * fitness.interval
    print(f"  the header can be shown for {fitness.reach} blocks after it, {window:.0f} s")
    if fitness.reach < 8191:
        print("  EIP-2935 is not live here: whoever draws later than that draws another block")
    for name in OFFICES:
        print(f"  the {name} is {'a contract' if name in found.contracts else 'an account: one key'}")
    print(f"  there already: {', '.join(sorted(found.present)) or 'nothing'}")


async def plan_command(options: argparse.Namespace) -> int:
    arguments = load_arguments(options.arguments)
    show_plan(arguments)
    if options.rpc:
        async with open_endpoints(options.rpc, options.chain_id) as rpc:
            show_chain(await survey(rpc, arguments.parameters))
    return Exit.OK


async def send_command(options: argparse.Namespace) -> int:
    arguments, deployer = load_arguments(options.arguments), load_deployer(options.config)
    show_plan(arguments)
    async with open_endpoints(
        deployer.chain.endpoints, options.chain_id, deployer.chain.timeout_seconds
    ) as rpc:
        found = await survey(rpc, arguments.parameters)
        show_chain(found)
        paying = await payer(rpc, deployer, arguments, found)
        purse = f"at most {exact(paying.cost)} of its {tokens(paying.balance)} ether"
        print(f"  {paying.wallet.address} pays {purse}")
        if not options.yes and not _agreed(options.chain_id):
            print("nothing was sent")
            return Exit.FAILURE
        made = await send(rpc, deployer, arguments, paying.wallet, _told)
    print(f"\nverified; nodes find it by {deployer.chain.deployment}, from block {made.block_number} on")
    return Exit.OK


async def verify_command(options: argparse.Namespace) -> int:
    deployment = Deployment.load(options.deployment)
    arguments = None if options.arguments is None else load_arguments(options.arguments)
    async with open_endpoints(options.rpc, deployment.chain_id) as rpc:
        found = await check(rpc, deployment, arguments, salt=read_salt(options.salt))
    for item in found.pieces:
        verdict = "; ".join(item.faults) or ("not judged" if item.name == "token" else "as built")
        print(f"{item.name:<16} {item.address} {item.size:>7,} bytes   {verdict}")
    if found.configuration is not None:
        print("\narguments")
        for name, value in asdict(found.configuration).items():
            print(f"  {name:<28} {_with_unit(name, value)}")
    if found.development_token:
        print("\nThe token is the development token of this project. It is worth nothing.")
    print("\nverified" if found.holds else "\nNOT VERIFIED: do not use this deployment")
    return Exit.OK if found.holds else Exit.VERIFICATION_FAILED


def _with_unit(name: str, value: object) -> str:
    if name in AMOUNTS and isinstance(value, int):
        return f"{exact(value)} tokens"
    unit = " s" if name in SECONDS else " blocks" if name == "beacon_delay" else ""
    return f"{value}{unit}"


def _agreed(chain_id: int) -> bool:
    with _heeding_interrupts():
        answer = input(f"\nNothing of this can be changed later. Type {chain_id} to send it: ")
    return answer.strip() == str(chain_id)


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """asyncio keeps the first Ctrl-C for when its loop goes on, and a question would go on waiting."""
    waiting = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, waiting)


def _told(item: Creation, fresh: bool) -> None:
    print(f"{item.name:<16} {item.address} {'created' if fresh else 'was there'}", flush=True)


def _parse(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    planning = commands.add_parser("plan", help="addresses, bytes, gas; with --rpc also the chain")
    sending = commands.add_parser("send", help="deploy what is missing and write the deployment file")
    verifying = commands.add_parser("verify", help="hold a deployment against abi/")
    for command in (planning, sending):
        command.add_argument("arguments", type=Path, help="TOML file as deploy/example.toml")
        command.add_argument(
            "--chain-id", type=int, required=command is sending, metavar="N",
            help="the chain that is meant; endpoints of others are refused",
        )  # fmt: skip
    for command in (planning, verifying):
        command.add_argument(
            "--rpc", action="append", required=command is verifying, metavar="URL",
            help="http or https endpoint, your own if you can; repeat for more",
        )  # fmt: skip
    sending.add_argument(
        "--config", type=Path, required=True, help="TOML file with [chain] and [wallet]; a node's will do"
    )
    sending.add_argument("--yes", action="store_true", help="send without asking for the chain's id first")
    verifying.add_argument("deployment", type=Path, help="JSON file that `send` wrote and nodes read")
    ways = verifying.add_mutually_exclusive_group()
    ways.add_argument(
        "--arguments", type=Path, help="TOML file that was announced; without it, read what is printed"
    )
    ways.add_argument("--salt", default="0x" + "0" * 64, help="0x and 64 hex digits, if it is not zero")
    options = parser.parse_args(given)
    if options.command == "plan" and (options.rpc is None) != (options.chain_id is None):
        parser.error("--rpc and --chain-id belong together")
    return options


def main(given: list[str] | None = None) -> int:
    options = _parse(given)
    commands = {"plan": plan_command, "send": send_command, "verify": verify_command}
    try:
        return int(asyncio.run(commands[options.command](options)))
    except BaseException as error:
        return ended(error)


if __name__ == "__main__":
    configure_logging()
    end_like_interrupt()
    sys.exit(main())

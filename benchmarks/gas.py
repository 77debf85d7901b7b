"""What does each call of a round cost in gas, for a hundred solvers on a real EVM?

Figures are whole transactions as the receipts charge them: 21,000 base and calldata included. Beside each
stands its ratio to a plain ERC-20 transfer to a fresh account, measured in the same run. Exit status 1 if a
target is missed.

    python benchmarks/gas.py [solvers]
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rich.console import Console
from rich.table import Table
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import Nonce
from web3.utils import get_create_address

from jepanet.protocol.commitment import (
    Leaf,
    commitment,
    evaluation_leaf,
    merkle_proof,
    merkle_root,
    result_leaf,
)
from jepanet.protocol.documents.typed_data import result_data
from jepanet.types import Address, Digest, Verdict

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "gas.json"
# PUBLIC: anvil's default mnemonic. Its keys are known to everybody.
PUBLIC_TEST_MNEMONIC = "test test test test test test test test test test test junk"
CHAIN = 31337
SOLVERS = 100
VERIFIERS = 3
SHARDS = 256
ETHER = 10**18
TARGETS = {"commit": 72_000, "reveal": 60_000, "recordTraining (k=3)": 135_000, "claim": 90_000}
YARDSTICK = "ERC-20 transfer, fresh account"


def word(*label: object) -> bytes:
    return keccak("/".join(map(str, label)).encode())


@contextmanager
def devnet(accounts: int) -> Iterator[Web3]:
    """A fresh anvil on a free port with `accounts` unlocked accounts of the public mnemonic."""
    anvil = ROOT / "node_modules" / ".bin" / "anvil"
    if not anvil.exists():
        sys.exit("anvil is missing: run `npm ci` in the repository root")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(anvil), "--port", str(port), "--chain-id", str(CHAIN), "--accounts", str(accounts)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        chain = Web3(HTTPProvider(f"http://127.0.0.1:{port}", request_kwargs={"timeout": 60}))
        deadline = time.monotonic() + 30
        while not chain.is_connected():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("anvil did not start")
            time.sleep(0.1)
        yield chain
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(20)


class Ledger:
    """Sends transactions and writes down what each kind of call cost."""

    def __init__(self, chain: Web3) -> None:
        self.chain = chain
        self.gas: dict[str, list[int]] = defaultdict(list)

    def send(self, kind: str, call: Any, sender: str) -> None:
        receipt = self.chain.eth.wait_for_transaction_receipt(call.transact({"from": sender}))
        if receipt["status"] != 1:
            raise RuntimeError(f"{kind} failed")
        self.gas[kind].append(receipt["gasUsed"])

    def deploy(self, name: str, sender: str, *arguments: Any) -> Contract:
        artifact = json.loads((ROOT / "abi" / f"{name}.json").read_text(encoding="utf-8"))
        factory = self.chain.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = self.chain.eth.wait_for_transaction_receipt(
            factory.constructor(*arguments).transact({"from": sender})
        )
        self.gas[f"deploy {name}"].append(receipt["gasUsed"])
        return cast(
            Contract, self.chain.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])
        )

    def warp(self, timestamp: int) -> None:
        self.chain.provider.make_request("evm_setNextBlockTimestamp", [timestamp])  # type: ignore[arg-type]
        self.chain.provider.make_request("evm_mine", [])  # type: ignore[arg-type]


def play(chain: Web3, solver_count: int) -> dict[str, list[int]]:
    """One round from deployment to the last claim; returns gas by kind of call."""
    ledger = Ledger(chain)
    accounts = list(chain.eth.accounts)
    owner, treasury, proposer, outsider = accounts[:4]
    keys = verifier_keys(accounts, range(4, 4 + VERIFIERS))
    verifiers = sorted(keys, key=lambda address: int(address, 16))
    solvers = accounts[4 + VERIFIERS : 4 + VERIFIERS + solver_count]

    nonce = chain.eth.get_transaction_count(owner)
    predicted = get_create_address(to_checksum_address(owner), Nonce(nonce + 4))
    token = ledger.deploy("DevToken", owner, owner, 10**9 * ETHER)
    sets = ledger.deploy("VerifierSets", owner)
    vault = ledger.deploy("StakeVault", owner, token.address, predicted, treasury, 1000 * ETHER, 7 * 86400)
    registry = ledger.deploy("ProjectRegistry", owner, sets.address, predicted)
    limits = (ETHER, ETHER, 3600, 86400, 1000)
    rounds = ledger.deploy(
        "TrainingRounds",
        owner,
        (token.address, vault.address, sets.address, registry.address, owner, owner, *limits),
    )

    ledger.send(YARDSTICK, token.functions.transfer(outsider, ETHER), owner)
    for account in [proposer, *verifiers, *solvers]:
        ledger.send("transfer", token.functions.transfer(account, 10_000 * ETHER), owner)
    for account in [*verifiers, *solvers]:
        ledger.send("approve", token.functions.approve(vault.address, 10_000 * ETHER), account)
        ledger.send("deposit", vault.functions.deposit(2_000 * ETHER), account)
    ledger.send("createVerifierSet", sets.functions.createVerifierSet(verifiers, 2), owner)
    for verifier in verifiers:
        ledger.send("join", sets.functions.join(1), verifier)

    shards = [(index, word("shard", index), word("blinding", index)) for index in range(SHARDS)]
    hidden = [evaluation_leaf(*shard) for shard in shards]
    project = (word("recipe"), word("data"), word("base"), merkle_root(hidden), SHARDS, 1, word("metadata"))
    ledger.send("createProject", registry.functions.createProject(*project), proposer)
    ledger.send("approve", token.functions.approve(rounds.address, 10_000 * ETHER), proposer)
    params = (
        1,
        word("spec"),
        1000 * ETHER,
        30 * ETHER,
        5 * ETHER,
        50 * ETHER,
        86400,
        60,
        86400,
        86400,
        86400,
        0,
    )
    ledger.send("openRound", rounds.functions.openRound(params), proposer)

    contract = Address(rounds.address)
    for solver in solvers:
        sealed = commitment(CHAIN, contract, 1, Address(solver), word("delta", solver), word("salt", solver))
        ledger.send("commit", rounds.functions.commit(1, sealed), solver)
    opened = rounds.functions.getRound(1).call()
    ledger.warp(opened[10])
    ledger.send("drawBeacon", rounds.functions.drawBeacon(1), outsider)
    index = rounds.functions.getRound(1).call()[18]
    proof = merkle_proof(hidden, index)
    ledger.send("unseal", rounds.functions.unseal(1, *shards[index][1:], list(proof)), proposer)
    for solver in solvers:
        opening = rounds.functions.reveal(1, word("delta", solver), word("salt", solver))
        ledger.send("reveal", opening, solver)

    rows = [Leaf(Address(a), Digest(word("delta", a)), Verdict.ACCEPTED, 50_000, 9 * ETHER) for a in solvers]
    rows += [Leaf(Address(a), Digest(bytes(32)), Verdict.FEE, 0, 10 * ETHER) for a in verifiers]
    leaves = [result_leaf(1, row) for row in rows]
    root, model, sheet = merkle_root(leaves), word("model"), word("sheet")
    payout = sum(row.amount for row in rows)
    attestations = []
    for place, verifier in enumerate(verifiers):
        improvement = 41_000 + place
        typed = result_data(
            CHAIN,
            contract,
            round_id=1,
            root=root,
            model=model,
            sheet=sheet,
            payout=payout,
            improvement=improvement,
        )
        signed = Account.sign_typed_data(keys[verifier], full_message=typed)
        attestations.append((improvement, bytes(signed.signature)))
    recording = rounds.functions.recordTraining(1, root, model, sheet, payout, attestations)
    ledger.send("recordTraining (k=3)", recording, outsider)
    ledger.warp(rounds.functions.getRound(1).call()[13])
    ledger.send("settle", rounds.functions.settle(1), outsider)
    for row, leaf in zip(rows, leaves, strict=True):
        kind = "claim" if row.verdict is Verdict.ACCEPTED else "claim (fee)"
        proven = list(merkle_proof(leaves, leaves.index(leaf)))
        values = (row.account, row.digest, int(row.verdict), row.gain, row.amount)
        ledger.send(kind, rounds.functions.claim(1, values, proven), row.account)
    for solver in solvers:
        ledger.send("withdrawCredit", rounds.functions.withdrawCredit(), solver)
    return dict(ledger.gas)


def verifier_keys(accounts: Sequence[str], places: range) -> dict[str, bytes]:
    """Private keys of the unlocked accounts at `places`, derived from the public mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    keys = {}
    for place in places:
        account = Account.from_mnemonic(PUBLIC_TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{place}")
        if account.address != accounts[place]:
            raise RuntimeError("anvil's accounts are not those of the public test mnemonic")
        keys[account.address] = bytes(account.key)
    return keys


def main() -> int:
    solver_count = int(sys.argv[1]) if len(sys.argv) > 1 else SOLVERS
    with devnet(4 + VERIFIERS + solver_count) as chain:
        gas = play(chain, solver_count)
    yardstick = statistics.median(gas[YARDSTICK])
    table = Table(title=f"Gas per transaction, a round of {solver_count} solvers")
    for column in ("call", "times", "median", "largest", "target", "largest / target", "median / transfer"):
        table.add_column(column, justify="left" if column == "call" else "right")
    calls: dict[str, dict[str, float | int | None]] = {}
    missed = []
    for kind, figures in gas.items():
        median, largest, target = statistics.median(figures), max(figures), TARGETS.get(kind)
        ratio = largest / target if target else None
        if ratio is not None and ratio > 1:
            missed.append(kind)
        calls[kind] = {
            "times": len(figures),
            "median": median,
            "largest": largest,
            "target": target,
            "largest_over_target": round(ratio, 4) if ratio is not None else None,
            "median_over_transfer": round(median / yardstick, 3),
        }
        table.add_row(
            kind,
            str(len(figures)),
            f"{median:,.0f}",
            f"{largest:,}",
            f"{target:,}" if target else "",
            f"{ratio:.3f}" if ratio is not None else "",
            f"{median / yardstick:.2f}",
        )
    Console(width=120).print(table)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    document = {"solvers": solver_count, "yardstick": YARDSTICK, "calls": calls, "missed": missed}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if missed:
        print(f"over target: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

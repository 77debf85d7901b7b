"""What does each call of a round cost in gas, for a hundred solvers on a real EVM?

Figures are whole transactions as the receipts charge them: 21,000 base and calldata included. Beside each
stands its ratio to a plain ERC-20 transfer to a fresh account, measured in the same run. Exit status 1 if a
target is missed.

The first round writes every slot for the first time. Standings lie in slots that the project's rounds take in
turn, eight of them: seven rounds are opened and cancelled, and the ninth is what a solver pays from then on.
Further solvers send their commits, openings and claims in batches of forty; a batch's figure is one fortieth.

A second table has the bytes of code of every contract and library.

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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rich.console import Console
from rich.table import Table
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import RPCEndpoint, TxParams

from jepanet.chain.deploying.create2 import DEPLOYER
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.deploying.plan import plan
from jepanet.chain.endpoints.header_rlp import encode_header
from jepanet.protocol.commitment import (
    Leaf,
    commitment,
    evaluation_leaf,
    merkle_proof,
    merkle_root,
    result_leaf,
    shard_proof,
    shard_root,
)
from jepanet.protocol.documents.typed_data import commit_data, compact_signature, result_data
from jepanet.types import Address, Digest, RoundId, Verdict

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "gas.json"
# PUBLIC: anvil's default mnemonic. Its keys are known to everybody.
PUBLIC_TEST_MNEMONIC = "test test test test test test test test test test test junk"
CHAIN = 31337
SOLVERS = 100
VERIFIERS = 3
SHARDS = 256
ETHER = 10**18
BATCH = 40
LANES = 8
"""Rounds of a project after which a solver's slot is used again."""
FIRST, STEADY = "first time", "steady"
TARGETS = {
    f"commit, {FIRST}": 64_000,
    f"commit, {STEADY}": 50_000,
    **{
        f"{call}, {when}": most
        for when in (FIRST, STEADY)
        for call, most in {
            "reveal": 35_500,
            "claim": 60_000,
            "recordTraining (k=3)": 90_000,
            "commit in a batch": 38_000,
            "reveal in a batch": 12_000,
            "claim in a batch": 25_000,
            "drawBeacon": 85_000,
            "openRound (k=3)": 300_000,
        }.items()
    },
}
SIZES = {"TrainingRounds: creation code": 20_000}
"""Most bytes."""
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
    command += ["--hardfork", "prague"]
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
    """Sends transactions and writes down what each kind of call cost, and its calldata."""

    def __init__(self, chain: Web3) -> None:
        self.chain = chain
        self.gas: dict[str, list[float]] = defaultdict(list)
        self.calldata: dict[str, int] = {}

    def send(self, kind: str, call: Any, sender: str, *, items: int = 1) -> None:
        """`items`: how many the call does at once; what is written down is one's share."""
        self._sent(kind, call.transact({"from": sender}), items)

    def create(self, kind: str, data: bytes, sender: str) -> None:
        """Through the deterministic deployer."""
        given = {"from": sender, "to": DEPLOYER, "data": data}
        self._sent(kind, self.chain.eth.send_transaction(cast(TxParams, given)), 1)

    def _sent(self, kind: str, tx_hash: Any, items: int) -> None:
        receipt = self.chain.eth.wait_for_transaction_receipt(tx_hash)
        if receipt["status"] != 1:
            raise RuntimeError(f"{kind} failed")
        self.gas[kind].append(receipt["gasUsed"] / items)
        data = bytes(self.chain.eth.get_transaction(tx_hash)["input"])
        self.calldata[kind] = max(self.calldata.get(kind, 0), round(len(data) / items))

    def ask(self, method: str, *parameters: object) -> Any:
        answer = self.chain.provider.make_request(cast(RPCEndpoint, method), list(parameters))
        return answer["result"]

    def warp(self, timestamp: int) -> None:
        self.ask("evm_setNextBlockTimestamp", timestamp)
        self.ask("evm_mine")


def contract(chain: Web3, name: str, address: str) -> Contract:
    artifact = json.loads((ROOT / "abi" / f"{name}.json").read_text(encoding="utf-8"))
    return cast(Contract, chain.eth.contract(address=to_checksum_address(address), abi=artifact["abi"]))


@dataclass
class Stage:
    """Everybody and everything of the run, ready for rounds of project 1."""

    ledger: Ledger
    rounds: Contract
    lens: Contract
    proposer: str
    outsider: str
    verifiers: list[str]
    solvers: list[str]
    batched: list[str]
    keys: dict[str, bytes]
    shards: list[tuple[int, bytes, bytes]]

    @property
    def contract(self) -> Address:
        return Address(self.rounds.address)

    def chain_time(self) -> int:
        return int(self.ledger.chain.eth.get_block("latest")["timestamp"])


def settle_in(chain: Web3, solver_count: int) -> Stage:
    """Contracts, stakes, a verifier set and a project."""
    ledger = Ledger(chain)
    accounts = list(chain.eth.accounts)
    owner, treasury, proposer, outsider = accounts[:4]
    keys = keys_of(accounts, [*range(4, 4 + VERIFIERS), *range(len(accounts) - BATCH, len(accounts))])
    verifiers = sorted(accounts[4 : 4 + VERIFIERS], key=lambda address: int(address, 16))
    solvers = accounts[4 + VERIFIERS : 4 + VERIFIERS + solver_count]
    batched = accounts[-BATCH:]

    parameters = DeployParameters(
        treasury=Address(treasury), arbiter=Address(owner), owner=Address(owner), beacon_delay=2,
        minimum_phase_duration=1,
    )  # fmt: skip
    planned = plan(parameters, Address(owner))
    for item in planned.creations:
        ledger.create(f"deploy {item.name}", bytes(item.call().data), owner)
    token = contract(chain, "DevToken", planned.token)
    rounds, lens = (
        contract(chain, name, address)
        for name, address in (("TrainingRounds", planned.rounds), ("RoundLens", planned.lens))
    )
    ledger.send(YARDSTICK, token.functions.transfer(outsider, ETHER), owner)
    for account in [proposer, *verifiers, *solvers, *batched]:
        ledger.send("transfer", token.functions.transfer(account, 20_000 * ETHER), owner)
        ledger.send("approve", token.functions.approve(rounds.address, 20_000 * ETHER), account)
    for account in [*verifiers, *solvers, *batched]:
        ledger.send("deposit", rounds.functions.deposit(2_000 * ETHER, account), account)
    limits = (10_000 * ETHER, 60 * 86_400)
    ledger.send("createVerifierSet", rounds.functions.createVerifierSet(verifiers, 2, *limits), proposer)
    for verifier in verifiers:
        ledger.send("join", rounds.functions.join(1), verifier)
    shards = [(index, word("shard", index), word("blinding", index)) for index in range(SHARDS)]
    root = shard_root([evaluation_leaf(*shard) for shard in shards])
    project = (word("recipe"), word("data"), word("base"), root, SHARDS, 1, word("metadata"))
    ledger.send("createProject", rounds.functions.createProject(*project), proposer)
    return Stage(ledger, rounds, lens, proposer, outsider, verifiers, solvers, batched, keys, shards)


def open_round(stage: Stage, when: str) -> int:
    params = (
        1,
        word("spec"),
        2000 * ETHER,
        30 * ETHER,
        10 * ETHER,
        50 * ETHER,
        86400,
        60,
        86400,
        86400,
        86400,
        0,
        bytes(32),
        bytes(32),
    )
    stage.ledger.send(f"openRound (k=3), {when}", stage.rounds.functions.openRound(params), stage.proposer)
    return int(stage.lens.functions.roundCount().call())


def cancel_empty(stage: Stage) -> None:
    """A round in which nobody commits."""
    number = open_round(stage, "no commits")
    stage.ledger.warp(view(stage, number)["commitEnd"])
    stage.ledger.send("cancel, no commits", stage.rounds.functions.cancel(number), stage.outsider)


def view(stage: Stage, number: int) -> dict[str, Any]:
    names = [item["name"] for item in stage.lens.functions.getRound(number).abi["outputs"][0]["components"]]
    return dict(zip(names, stage.lens.functions.getRound(number).call(), strict=True))


def play(stage: Stage, when: str) -> None:
    """One round from its opening to the last claim."""
    ledger, rounds, outsider = stage.ledger, stage.rounds.functions, stage.outsider
    number = open_round(stage, when)
    everybody = [*stage.solvers, *stage.batched]

    def delta(solver: str) -> bytes:
        return word("delta", solver, number)

    def sealed(solver: str) -> bytes:
        return commitment(
            CHAIN, stage.contract, RoundId(number), Address(solver), delta(solver), word("salt", solver)
        )

    for solver in stage.solvers:
        ledger.send(f"commit, {when}", rounds.commit(number, sealed(solver)), solver)
    signed = []
    for solver in stage.batched:
        typed = commit_data(CHAIN, stage.contract, round_id=number, commitment=sealed(solver))
        signature = Account.sign_typed_data(stage.keys[solver], full_message=typed).signature
        signed.append((solver, sealed(solver), *compact_signature(bytes(signature))))
    ledger.send(f"commit in a batch, {when}", rounds.commitMany(number, signed), outsider, items=BATCH)
    ledger.warp(view(stage, number)["commitEnd"])
    ledger.send(f"closeCommits, {when}", rounds.closeCommits(number), outsider)
    block = view(stage, number)["beaconBlock"]
    # The second draw comes so late that the block's hash is in the history contract (EIP-2935) only.
    late = 0 if when == FIRST else 256
    ledger.ask("anvil_mine", hex(block + 1 + late - ledger.chain.eth.block_number))
    header = encode_header(ledger.ask("eth_getBlockByNumber", hex(block), False))
    ledger.send(f"drawBeacon, {when}", rounds.drawBeacon(number, header), outsider)
    index = view(stage, number)["evaluationIndex"]
    proof = shard_proof([evaluation_leaf(*shard) for shard in stage.shards], index)
    ledger.send(
        f"unseal, {when}", rounds.unseal(number, *stage.shards[index][1:], list(proof)), stage.proposer
    )
    ledger.warp(max(view(stage, number)["revealStart"], stage.chain_time() + 1))
    for solver in stage.solvers:
        opening = rounds.reveal(number, delta(solver), word("salt", solver))
        ledger.send(f"reveal, {when}", opening, solver)
    openings = [(solver, delta(solver), word("salt", solver)) for solver in stage.batched]
    ledger.send(f"reveal in a batch, {when}", rounds.revealMany(number, openings), outsider, items=BATCH)

    rows = [Leaf(Address(a), Digest(delta(a)), Verdict.ACCEPTED, 50_000, 9 * ETHER) for a in everybody]
    rows += [Leaf(Address(a), Digest(bytes(32)), Verdict.FEE, 0, 10 * ETHER) for a in stage.verifiers]
    leaves = [result_leaf(RoundId(number), row) for row in rows]
    proofs = [list(merkle_proof(leaves, place)) for place in range(len(leaves))]
    root, model, sheet = merkle_root(leaves), word("model", number), word("sheet", number)
    payout = sum(row.amount for row in rows)
    attestations = []
    for place, verifier in enumerate(stage.verifiers):
        typed = result_data(
            CHAIN, stage.contract, round_id=number, root=root, model=model, sheet=sheet, payout=payout,
            improvement=41_000 + place, extension=bytes(32),
        )  # fmt: skip
        signature = Account.sign_typed_data(stage.keys[verifier], full_message=typed).signature
        attestations.append((41_000 + place, *compact_signature(bytes(signature))))
    recording = rounds.recordTraining(number, root, model, sheet, payout, bytes(32), attestations)
    ledger.send(f"recordTraining (k=3), {when}", recording, outsider)
    ledger.warp(view(stage, number)["challengeEnd"])
    shown = (root, model, sheet, bytes(32), payout, 41_001, (1 << VERIFIERS) - 1)
    ledger.send(f"settle, {when}", rounds.settle(number, shown), outsider)
    values = [(row.account, row.digest, int(row.verdict), row.gain, row.amount) for row in rows]
    together = range(len(stage.solvers), len(everybody))
    for place, row in enumerate(rows):
        if place in together:
            continue
        kind = "claim" if row.verdict is Verdict.ACCEPTED else "claim (fee)"
        ledger.send(f"{kind}, {when}", rounds.claim(number, values[place], proofs[place]), row.account)
    batch = [(values[place], proofs[place]) for place in together]
    ledger.send(f"claim in a batch, {when}", rounds.claimMany(number, batch), outsider, items=BATCH)


def measure(chain: Web3, solver_count: int) -> Ledger:
    stage = settle_in(chain, solver_count)
    play(stage, FIRST)
    for _ in range(LANES - 1):
        cancel_empty(stage)
    play(stage, STEADY)
    for solver in stage.solvers:
        call = stage.rounds.functions.withdraw(10 * ETHER, solver)
        stage.ledger.send("withdraw", call, solver)
    return stage.ledger


def keys_of(accounts: Sequence[str], places: Iterable[int]) -> dict[str, bytes]:
    """Private keys of the unlocked accounts at `places`, derived from the public mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    keys = {}
    for place in places:
        account = Account.from_mnemonic(PUBLIC_TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{place}")
        if account.address != accounts[place]:
            raise RuntimeError("anvil's accounts are not those of the public test mnemonic")
        keys[account.address] = bytes(account.key)
    return keys


def sizes() -> dict[str, int]:
    """Bytes of creation code (without arguments) and of deployed code, from abi/."""
    found = {}
    for path in sorted((ROOT / "abi").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        # What stands for the address of a library is as long as the address.
        for part, code in (("creation", document["bytecode"]), ("deployed", document["runtime"])):
            found[f"{path.stem}: {part} code"] = len(code.removeprefix("0x")) // 2
    return found


def show_sizes(found: dict[str, int]) -> None:
    table = Table(title="Bytes of code")
    for column in ("contract or library", "bytes", "most"):
        table.add_column(column, justify="left" if column.startswith("contract") else "right")
    for name, size in found.items():
        table.add_row(name, f"{size:,}", f"{SIZES[name]:,}" if name in SIZES else "")
    Console(width=140).print(table)


def main() -> int:
    solver_count = int(sys.argv[1]) if len(sys.argv) > 1 else SOLVERS
    with devnet(4 + VERIFIERS + solver_count + BATCH) as chain:
        ledger = measure(chain, solver_count)
    gas = ledger.gas
    yardstick = statistics.median(gas[YARDSTICK])
    table = Table(title=f"Gas per transaction, rounds of {solver_count} solvers and {BATCH} in batches")
    columns = (
        "call", "times", "median", "largest", "target", "largest / target", "median / transfer", "calldata",
    )  # fmt: skip
    for column in columns:
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
            "calldata_bytes": ledger.calldata[kind],
        }
        table.add_row(
            kind,
            str(len(figures)),
            f"{median:,.0f}",
            f"{largest:,.0f}",
            f"{target:,}" if target else "",
            f"{ratio:.3f}" if ratio is not None else "",
            f"{median / yardstick:.2f}",
            f"{ledger.calldata[kind]:,}",
        )
    Console(width=140).print(table)
    bytes_of = sizes()
    show_sizes(bytes_of)
    missed += [name for name, most in SIZES.items() if bytes_of[name] > most]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "solvers": solver_count, "yardstick": YARDSTICK, "calls": calls, "bytes": bytes_of, "missed": missed,
    }  # fmt: skip
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if missed:
        print(f"over target: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

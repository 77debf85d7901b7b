"""What the chain says happened: phases, transactions, claims. Read from the chain, not from the nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.follower import Follower
from jepanet.chain.following.logs_to_facts import decode
from jepanet.operations.access import open_chain
from jepanet.operations.reading.history import open_history
from jepanet.protocol.facts import (
    ChainBeaconDrawn,
    ChainBeaconFixed,
    ChainClaimed,
    ChainFact,
    ChainRoundSettled,
)
from jepanet.protocol.state import NodeState, Round
from jepanet.settings.config import load_config
from jepanet.types import BlockRef, Phase

# Event name -> the step a reader knows it by.
_STEPS = {
    "ChainRoundOpened": "open",
    "ChainCommitted": "commit",
    "ChainBeaconFixed": "close",
    "ChainBeaconDrawn": "beacon",
    "ChainShardUnsealed": "unseal",
    "ChainRevealed": "reveal",
    "ChainTrainingRecorded": "record",
    "ChainRoundSettled": "settle",
    "ChainClaimed": "claim",
    "ChainRoundCancelled": "cancel",
}


@dataclass
class Ledger:
    """Every round as the chain has it now."""

    state: NodeState
    rounds: dict[int, Round]
    phases: dict[int, str]
    transactions: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    times: dict[int, dict[str, int]] = field(default_factory=dict)
    claimed: dict[int, dict[str, int]] = field(default_factory=dict)
    returned: dict[int, int] = field(default_factory=dict)
    keeper_reward: int = 0
    """Escrowed twice a round, for whoever closes COMMIT and whoever draws."""
    keepers: dict[int, int] = field(default_factory=dict)
    """What they earned."""

    def finished(self, wanted: int) -> bool:
        """All rounds ended, and in each settled one every revealed solver and verifier has claimed."""
        if len(self.rounds) < wanted:
            return False
        for number, round_ in self.rounds.items():
            if self.phases[number] not in ("settled", "cancelled"):
                return False
            if self.phases[number] == "settled":
                due = {item.solver for item in round_.reveals} | set(self.state.members(round_))
                if not due <= set(self.claimed.get(number, {})):
                    return False
        return True


async def read_ledger(config: Path) -> Ledger:
    """Reads the whole chain afresh."""
    async with open_chain(load_config(config).chain) as chain, open_history(chain) as history:
        state = await history.state()
        rounds = {int(key): item for key, item in sorted(state.rounds.items())}
        phases = {number: Phase(item.phase(state.now)).name.lower() for number, item in rounds.items()}
        ledger = Ledger(state, rounds, phases)
        ledger.keeper_reward = (await chain.contracts.rounds.configuration("latest")).keeper_reward
        follower = Follower(chain.rpc, chain.deployment.followed, chain.deployment.anchor, _step, poll=0.2)
        async for step in follower.steps():
            for block in step.blocks:
                for name, fact, transaction in block.facts:
                    number = int(getattr(fact, "round_id", 0))
                    hashes = ledger.transactions.setdefault(number, {}).setdefault(name, [])
                    hashes.append("0x" + transaction.hex())
                    ledger.times.setdefault(number, {})[name] = block.ref.timestamp
                    if isinstance(fact, ChainClaimed):
                        paid = ledger.claimed.setdefault(number, {})
                        paid[fact.account] = paid.get(fact.account, 0) + fact.amount
                    if isinstance(fact, ChainBeaconFixed | ChainBeaconDrawn):
                        ledger.keepers[number] = ledger.keepers.get(number, 0) + fact.reward
                    if isinstance(fact, ChainRoundSettled):
                        ledger.returned[number] = fact.returned
            if step.blocks and step.blocks[-1].ref.number >= step.head:
                break
    return ledger


def _step(log: RawLog, block: BlockRef) -> tuple[str, ChainFact, bytes] | None:
    """The step of a round that a log is, with the hash of its transaction; None for any other event."""
    fact = decode(log, block)
    name = _STEPS.get(type(fact).__name__)
    return None if fact is None or name is None else (name, fact, log.tx_hash)

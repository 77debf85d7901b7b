"""An anvil with the real contracts, funded wallets, and a project ready for its first round."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chain_fixtures import FEES, Chain, MemoryIntents, running_chain

from jepanet.chain.contracts.all import Contracts, Deployment, error_decoder
from jepanet.chain.deploying.deploy import deploy
from jepanet.chain.deploying.parameters import TOKEN, DeployParameters
from jepanet.chain.devchain.anvil import public_test_accounts
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.endpoints.beacon_headers import read_header
from jepanet.chain.keys.password import Password
from jepanet.chain.keys.wallet_files import Wallet, import_key
from jepanet.chain.sending.sender import Sender
from jepanet.operations.access import SigningAccess, open_signing
from jepanet.protocol import facts
from jepanet.protocol.commitment import evaluation_leaf, shard_root
from jepanet.settings.config import load_config
from jepanet.telemetry import Secret
from jepanet.types import Digest, ProjectId

T = TypeVar("T")
BASE, MODEL, SHEET, SPEC = (Digest(bytes([n]) * 32) for n in (1, 2, 3, 4))
SHARDS = [(index, bytes([50 + index]) * 32, bytes([90 + index]) * 32) for index in range(3)]
LEAVES = [evaluation_leaf(*shard) for shard in SHARDS]
CAP, MAX_HOLD = 1_000 * TOKEN, 1_000_000
"""Of the verifier set: more than one round of `PARAMS` needs."""


@dataclass
class Network:
    """A chain with everything deployed; account 0 is deployer, proposer and owner."""

    chain: Chain
    deployment: Deployment
    contracts: Contracts
    senders: list[Sender]
    sent: int = 0

    async def do(self, who: int, call: Any) -> Receipt:
        self.sent += 1
        return await self.senders[who].send(f"duty-{self.sent}", call)

    def wallet(self, who: int) -> Wallet:
        return self.chain.wallets[who]

    async def at(self, timestamp: int) -> None:
        """Lets the chain's clock reach `timestamp`."""
        await self.chain.rpc.request("evm_setNextBlockTimestamp", [timestamp])
        await self.chain.mine()


@asynccontextmanager
async def deployed_network() -> AsyncIterator[Network]:
    """An anvil with the contracts, whose accounts 1 to 4 hold 10,000 tokens each."""
    async with running_chain() as chain:
        wallet = chain.wallets[0]
        parameters = DeployParameters.for_devnet(wallet.address)
        deployment = await deploy(chain.rpc, wallet, parameters)
        contracts = Contracts.of(chain.rpc, deployment)
        senders = [
            Sender(chain.rpc, each, MemoryIntents(), FEES, 1, error_decoder(), poll=0.05)
            for each in chain.wallets
        ]
        network = Network(chain, deployment, contracts, senders)
        for who in range(1, 5):
            await network.do(0, contracts.token.transfer(chain.wallets[who].address, 10_000 * TOKEN))
        yield network


async def stake(network: Network, who: int, amount: int) -> None:
    await network.do(who, network.contracts.token.approve(network.deployment.rounds, amount))
    await network.do(who, network.contracts.rounds.deposit(amount, network.wallet(who).address))


async def found_project(
    network: Network, *, recipe: bytes = b"r" * 32, dataset: bytes = b"d" * 32, model: Digest = BASE
) -> None:
    """Accounts 1 and 2 verify; 3 and 4 solve; 0 proposes."""
    for who in range(1, 5):
        await stake(network, who, 1_000 * TOKEN)
    members = [network.wallet(2).address, network.wallet(1).address]
    await network.do(0, network.contracts.rounds.create_verifier_set(members, 2, CAP, MAX_HOLD))
    assert not (await network.contracts.lens.verifier_set(1, "latest")).active
    await network.do(1, network.contracts.rounds.join(1))
    await network.do(2, network.contracts.rounds.join(1))
    await network.do(
        0,
        network.contracts.rounds.create_project(
            recipe=recipe,
            dataset=dataset,
            model=model,
            evaluation_root=shard_root(LEAVES),
            evaluation_count=len(LEAVES),
            verifier_set=1,
            metadata=b"m" * 32,
        ),
    )
    await network.do(0, network.contracts.token.approve(network.deployment.rounds, 1_000 * TOKEN))


PARAMS = facts.RoundParams(
    project_id=ProjectId(1),
    spec=SPEC,
    budget=100 * TOKEN,
    fee=10 * TOKEN,
    bond=5 * TOKEN,
    unseal_bond=7 * TOKEN,
    commit_duration=1000,
    gap=10,
    reveal_duration=1000,
    verify_duration=1000,
    challenge_duration=100,
    max_solvers=2,
    extension=bytes(32),
    allow_list=bytes(32),
)


async def draw(network: Network, round_id: int, who: int = 3) -> None:
    """Has a round's shard drawn: COMMIT is closed, the fixed block comes, its header is shown."""
    contracts, rpc = network.contracts, network.chain.rpc
    await network.do(who, contracts.rounds.close_commits(round_id))
    block = (await contracts.lens.round(round_id, "latest")).beacon_block
    await network.chain.mine(block + 1 - (await rpc.head()).ref.number)
    await network.do(who, contracts.rounds.draw_beacon(round_id, await read_header(rpc, block)))


async def signed(config: Path, action: Callable[[SigningAccess], Awaitable[T]]) -> T:
    """What a command does that signs: opens the handles of a configuration, and calls the action once."""
    async with open_signing(load_config(config)) as access:
        return await action(access)


def configured(network: Network, who: int, folder: Path, role: str = "solver") -> Path:
    """A node's TOML file for one of the public test accounts, with a keystore that unlocks at once."""
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "password"
    password.write_text("pw\n")
    password.chmod(0o600)
    key = public_test_accounts(5)[who].key.reveal()
    import_key(folder / "wallets", Secret(key.hex()), Password(Secret("pw")), scrypt_n=2**12)
    network.deployment.save(folder / "deployment.json")
    config = folder / "node.toml"
    config.write_text(
        f'''
[node]
data_dir = "data"
roles = ["{role}"]
[wallet]
directory = "wallets"
password_file = "password"
[chain]
endpoints = ["{network.chain.anvil.url}"]
deployment = "deployment.json"
[p2p]
allow_isolated = true
'''
    )
    return config

"""Deployments on real chains: the same addresses on two of them, taken up, verified, and refused in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from chain_fixtures import FEES, Chain, MemoryIntents, running_chain

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying import fitness
from jepanet.chain.deploying.create2 import DEPLOYER, Creation, creation
from jepanet.chain.deploying.deploy import deploy
from jepanet.chain.deploying.fitness import HISTORY, RUN, examine
from jepanet.chain.deploying.parameters import TOKEN, DeployParameters
from jepanet.chain.deploying.plan import (
    configuration_of,
    core,
    creation_gas,
    linked_libraries,
    plan,
)
from jepanet.chain.deploying.verifying import Verification, verify
from jepanet.chain.devchain.anvil import AnvilProcess, free_port, public_test_accounts
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.password import password_of
from jepanet.chain.keys.wallet_files import Wallet, import_key
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Fatal, Transient
from jepanet.telemetry import Secret
from jepanet.types import Address

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


def sender_of(chain: Chain) -> Sender:
    return Sender(chain.rpc, chain.wallets[0], MemoryIntents(), FEES, 1, error_decoder(), poll=0.05)


@dataclass
class Placed:
    """A chain with a token, and the parameters of a deployment that uses it."""

    chain: Chain
    parameters: DeployParameters
    sent: int = 0

    async def put(self, item: Creation) -> Address:
        """Creates one piece, whatever the plan says."""
        self.sent += 1
        sender = Sender(
            self.chain.rpc, self.chain.wallets[0], MemoryIntents(), FEES, 1, error_decoder(), poll=0.05
        )
        receipt = await sender.send(f"piece/{self.sent}", item.call())
        assert await self.chain.rpc.code(item.address, receipt.block_hash)
        return item.address

    async def deploy(self) -> Deployment:
        return await deploy(self.chain.rpc, self.chain.wallets[0], self.parameters)


@asynccontextmanager
async def placed(rpc: Rpc, anvil: AnvilProcess, wallets: tuple[Wallet, ...]) -> AsyncIterator[Placed]:
    owner = wallets[1].address
    found = Placed(Chain(anvil, rpc, wallets), DeployParameters.for_devnet(owner))
    token = await found.put(creation("DevToken", wallets[0].address, 10**9 * TOKEN, salt=bytes(32)))
    found.parameters = replace(found.parameters, token=token)
    yield found


@pytest.fixture
async def real() -> AsyncIterator[Placed]:
    async with running_chain() as chain, placed(chain.rpc, chain.anvil, chain.wallets) as found:
        yield found


def faults(found: Verification) -> dict[str, str]:
    return {item.name: "; ".join(item.faults) for item in found.pieces if item.faults}


async def put_linked(real: Placed, places: dict[str, Address], **changes: int) -> Deployment:
    """A deployment as somebody would make it that links other libraries, or gives other arguments."""
    for item in linked_libraries(bytes(32)).values():
        if not await real.chain.rpc.code(item.address, "latest"):
            await real.put(item)
    assert real.parameters.token is not None
    configuration = replace(configuration_of(real.parameters, real.parameters.token), **changes)
    usual = {name: item.address for name, item in linked_libraries(bytes(32)).items()}
    rounds = await real.put(core(configuration, {**usual, **places}, bytes(32)))
    lens = await real.put(creation("RoundLens", rounds, salt=bytes(32)))
    block = await real.chain.block()
    return Deployment(
        31337, block.number, block.hash, block.timestamp, real.parameters.token, rounds, lens, 1
    )


# ------------------------------------------------------------------ two chains


async def test_addresses_are_equal_on_two_chains_exactly_where_the_arguments_are(real: Placed) -> None:
    made = await real.deploy()
    assert (await verify(real.chain.rpc, made)).holds
    async with AnvilProcess(port=free_port(), chain_id=424_242) as anvil:
        rpc = Rpc([anvil.url], anvil.chain_id)
        try:
            # Another account pays: who sends does not count, who is named does.
            wallets = tuple(reversed(real.chain.wallets))
            async with placed(rpc, anvil, wallets) as other:
                # Its token went to another first holder, so it is another token at another address.
                assert other.parameters.token != real.parameters.token
                token = creation("DevToken", real.chain.wallets[0].address, 10**9 * TOKEN, salt=bytes(32))
                assert await other.put(token) == real.parameters.token
                other.parameters = real.parameters
                same = await other.deploy()
                assert (same.token, same.rounds, same.lens) == (made.token, made.rounds, made.lens)
                assert same.chain_id != made.chain_id
                for change in (
                    {"treasury": DEPLOYER},
                    {"arbiter": DEPLOYER},
                    {"owner": DEPLOYER},
                    {"beacon_delay": 3},
                ):
                    planned = plan(replace(real.parameters, **change), wallets[0].address)
                    assert planned.rounds != made.rounds and planned.lens != made.lens, change
                other.parameters = replace(real.parameters, treasury=DEPLOYER)
                moved = await other.deploy()
                assert moved.rounds != made.rounds and (await verify(rpc, moved)).holds
        finally:
            await rpc.close()


# ------------------------------------------------------------------ sending


async def test_gas_is_foreseen_to_within_two_per_cent(real: Placed) -> None:
    sender = Sender(
        real.chain.rpc, real.chain.wallets[0], MemoryIntents(), FEES, 1, error_decoder(), poll=0.05
    )
    for item in plan(replace(real.parameters, token=None), real.chain.wallets[0].address).creations[1:]:
        receipt = await sender.send(item.name, item.call())
        assert abs(creation_gas(item) / receipt.gas_used - 1) < 0.02, (item.name, receipt.gas_used)


async def test_a_deployment_is_taken_up_after_any_piece_and_a_finished_one_is_found(real: Placed) -> None:
    planned = plan(real.parameters, real.chain.wallets[0].address)
    for item in planned.creations[:-1]:
        await real.put(item)
    born = await real.chain.block()  # the core is in this block
    await real.chain.mine(3)
    created: list[str] = []

    def told(item: Creation, fresh: bool) -> None:
        if fresh:
            created.append(item.name)

    made = await deploy(real.chain.rpc, real.chain.wallets[0], real.parameters, told=told)
    assert created == ["RoundLens"]
    assert (made.block_number, made.block_hash) == (born.number, born.hash), "nothing happened before it"
    again = await deploy(real.chain.rpc, real.chain.wallets[2], real.parameters, told=told)
    assert again == made and created == ["RoundLens"]
    assert (await verify(real.chain.rpc, again)).holds


async def test_other_code_where_a_piece_belongs_stops_all_before_anything_is_sent(
    real: Placed,
) -> None:
    planned = plan(real.parameters, real.chain.wallets[0].address)
    victim = planned.creations[3]
    await real.chain.rpc.request("anvil_setCode", [victim.address, "0x" + "fe" * 40])
    before = (await real.chain.rpc.head()).ref.number
    with pytest.raises(
        Fatal, match=f"{victim.address}, where {victim.name} belongs, holds other code"
    ) as caught:
        await real.deploy()
    assert caught.value.code is Exit.VERIFICATION_FAILED
    assert (await real.chain.rpc.head()).ref.number == before


# ------------------------------------------------------------------ the chain


async def test_a_fit_chain_is_said_to_be_and_what_an_old_one_lacks_is_named(real: Placed) -> None:
    with pytest.raises(Transient, match=f"wait until it has {RUN}|has .* blocks"):
        await examine(real.chain.rpc, real.parameters)
    await real.chain.mine(RUN)
    found = await examine(real.chain.rpc, real.parameters)
    assert found.reach == 8191 and found.draw_after == found.interval * 2
    await real.chain.rpc.request("anvil_setCode", [HISTORY, "0x"])
    assert (await examine(real.chain.rpc, real.parameters)).reach == 256
    with pytest.raises(Fatal, match="no token at"):
        await examine(real.chain.rpc, replace(real.parameters, token=real.chain.wallets[4].address))
    with pytest.raises(Transient, match="does not say its decimals"):
        await examine(real.chain.rpc, replace(real.parameters, token=DEPLOYER))
    reverts = Address("0x" + "5" * 40)
    await real.chain.rpc.request("anvil_setCode", [reverts, "0x5f5ffd"])
    with pytest.raises(Fatal, match="has no decimals"):
        await examine(real.chain.rpc, replace(real.parameters, token=reverts))


async def test_an_unfit_chain_is_refused_in_words(real: Placed, monkeypatch: pytest.MonkeyPatch) -> None:
    await real.chain.mine(RUN)

    async def constant(_rpc: Rpc, _number: int) -> bytes:
        return (1).to_bytes(32, "big")

    with monkeypatch.context() as patched, pytest.raises(Fatal, match="not fit: prevRandao was") as caught:
        patched.setattr(fitness, "read_randomness", constant)
        await examine(real.chain.rpc, real.parameters)
    assert caught.value.code is Exit.WRONG_CHAIN

    async def another(_transaction: object, _block: object) -> bytes:
        return bytes(33)

    with (
        monkeypatch.context() as patched,
        pytest.raises(Fatal, match="not fit: BLOCKHASH of") as caught,
    ):
        patched.setattr(real.chain.rpc, "call", another)
        await examine(real.chain.rpc, real.parameters)
    assert caught.value.code is Exit.WRONG_CHAIN
    await real.chain.rpc.request("anvil_setCode", [DEPLOYER, "0x"])
    with pytest.raises(Fatal, match="no deterministic deployer"):
        await examine(real.chain.rpc, real.parameters)


# ------------------------------------------------------------------ verifying


async def test_a_good_deployment_verifies_piece_by_piece(real: Placed) -> None:
    made = await real.deploy()
    assert real.parameters.token is not None
    announced = configuration_of(real.parameters, real.parameters.token)
    found = await verify(real.chain.rpc, made, expected=announced)
    assert found.holds and found.configuration == announced and found.development_token
    assert [item.name for item in found.pieces] == [
        *linked_libraries(bytes(32)),
        "TrainingRounds",
        "RoundLens",
        "token",
    ]
    sizes = {item.name: item.size for item in found.pieces}
    assert sizes["TrainingRounds"] == load_abi("TrainingRounds").size


async def test_a_deployment_with_one_changed_library_is_refused(real: Placed) -> None:
    library = linked_libraries(bytes(32))["Disputes"]
    # One byte of its code, in the middle: a constant or an instruction.
    at = len(library.code) // 2
    altered = library.code[:at] + bytes([library.code[at] ^ 1]) + library.code[at + 1 :]
    changed = await real.put(Creation("Disputes", altered, bytes(32)))
    made = await put_linked(real, {"Disputes": changed})
    found = faults(await verify(real.chain.rpc, made))
    assert set(found) == {"Disputes"}
    assert "1 of " in found["Disputes"] and f"the salt give {library.address}" in found["Disputes"]


async def test_a_library_at_another_address_is_refused_even_with_the_right_code(real: Placed) -> None:
    library = linked_libraries(bytes(32))["Sets"]
    elsewhere = await real.put(replace(library, salt=b"\1" * 32))
    made = await put_linked(real, {"Sets": elsewhere})
    found = faults(await verify(real.chain.rpc, made))
    assert set(found) == {"Sets"} and found["Sets"].endswith("the core is linked with this address")


async def test_another_constructor_argument_than_announced_is_refused(real: Placed) -> None:
    made = await put_linked(real, {}, excluded_bps=9_999)
    assert real.parameters.token is not None
    announced = configuration_of(real.parameters, real.parameters.token)
    found = await verify(real.chain.rpc, made, expected=announced)
    assert faults(found) == {"TrainingRounds": "excluded_bps is 9999, announced was 2000"}
    # Nobody announced anything: it is what it says it is.
    assert (await verify(real.chain.rpc, made)).holds


async def test_a_configuration_that_lies_is_refused(real: Placed) -> None:
    """A chain that shows the right code with another configuration in its storage of code."""
    made = await real.deploy()
    code = await real.chain.rpc.code(made.rounds, "latest")
    other = await put_linked(real, {}, minimum_bond=7 * TOKEN)
    planted = await real.chain.rpc.code(other.rounds, "latest")
    assert code != planted
    await real.chain.rpc.request("anvil_setCode", [made.rounds, "0x" + planted.hex()])
    found = faults(await verify(real.chain.rpc, made))
    assert set(found) == {"TrainingRounds"}
    assert "its immutables are not what configuration() answers" in found["TrainingRounds"]
    assert f"its code, links and arguments with this salt belong at {other.rounds}" in found["TrainingRounds"]


@pytest.mark.parametrize("name", ["TrainingRounds", "Disputes", "RoundLens"])
async def test_immutables_that_no_constructor_wrote_are_refused(real: Placed, name: str) -> None:
    """Code that a chain was born with: at the right address, and another treasury, rounds or self in it."""
    made = await real.deploy()
    places = {item.name: item.address for item in plan(real.parameters, DEPLOYER).creations}
    code = bytearray(await real.chain.rpc.code(places[name], "latest"))
    start, length = load_abi(name).immutables[0]
    planted = bytes(12) + bytes.fromhex(DEPLOYER[2:])
    old = bytes(code[start : start + length])
    for first, size in load_abi(name).immutables:
        if code[first : first + size] == old:
            code[first : first + size] = planted
    await real.chain.rpc.request("anvil_setCode", [places[name], "0x" + code.hex()])
    found = faults(await verify(real.chain.rpc, made))
    assert set(found) == {name}
    assert "immutables" in found[name] or "knows itself" in found[name] or DEPLOYER in found[name]


async def test_swapped_contracts_and_the_lens_of_others_are_refused(real: Placed) -> None:
    made = await real.deploy()
    swapped = faults(await verify(real.chain.rpc, replace(made, rounds=made.lens, lens=made.rounds)))
    assert swapped["TrainingRounds"] == "it is the code of RoundLens"
    assert swapped["RoundLens"] == "it is the code of TrainingRounds"
    other = await put_linked(real, {}, excluded_bps=1)
    mixed = faults(await verify(real.chain.rpc, replace(made, lens=other.lens)))
    assert mixed == {"RoundLens": f"it reads {other.rounds}"}
    token = faults(await verify(real.chain.rpc, replace(made, token=made.lens)))
    assert token == {"token": f"the core's token is {made.token}"}
    with pytest.raises(Fatal, match="another one in the file"):
        await verify(real.chain.rpc, replace(made, block_hash=b"\1" * 32))
    salted = faults(await verify(real.chain.rpc, made, salt=b"\1" * 32))
    assert {"TrainingRounds", "RoundLens", "Disputes"} <= set(salted)


# ------------------------------------------------------------------ the command


def command() -> Callable[[list[str]], int]:
    """`main` of the script, which is no module of the package."""
    spec = spec_from_file_location("deploy_contracts", ROOT / "deploy" / "contracts.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main  # type: ignore[no-any-return]


async def test_an_operator_plans_sends_once_and_verifies(
    real: Placed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = command()

    async def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(main, [str(item) for item in arguments])
        return code, *capsys.readouterr()

    await real.chain.mine(RUN)
    account = public_test_accounts(1)[0]
    import_key(tmp_path / "wallets", Secret(account.key.reveal().hex()), password_of("p", "here"), scrypt_n=2)
    (tmp_path / "password").write_text("p")
    (tmp_path / "password").chmod(0o600)
    owner = real.chain.wallets[1].address
    arguments = tmp_path / "arguments.toml"
    text = (ROOT / "deploy" / "example.toml").read_text()
    for number, name in enumerate(("token", "owner", "treasury", "arbiter"), 1):
        text = text.replace("0x" + f"{number}" * 40, str(real.parameters.token if name == "token" else owner))
    arguments.write_text(text.replace("confirmations = 12", "confirmations = 1"))
    config, chain, url = tmp_path / "deployer.toml", "31337", real.chain.anvil.url
    config.write_text(
        f'[chain]\nendpoints = ["{url}"]\ndeployment = "deployments/31337.json"\n'
        '[wallet]\ndirectory = "wallets"\npassword_file = "password"\n'
    )
    code, planned, error = await run("plan", arguments, "--chain-id", chain, "--rpc", url)
    assert code == 0, error
    assert "chain 31337 is fit" in planned and "there already: nothing" in planned
    assert "the arbiter is an account: one key" in planned
    sending = ("send", arguments, "--config", config, "--yes", "--chain-id")
    code, _, error = await run(*sending, "1")
    assert code == Exit.WRONG_CHAIN and error.count("deployment file of that chain") == 1, "one remedy"
    balance = await real.chain.rpc.balance(account.address, "latest")
    await real.chain.rpc.request("anvil_setBalance", [account.address, hex(10**12)])
    code, _, error = await run(*sending, chain)
    assert code == Exit.UNFUNDED and "holds 0.000001 ether" in error
    await real.chain.rpc.request("anvil_setBalance", [account.address, hex(balance)])
    code, sent, error = await run(*sending, chain)
    assert code == 0, error
    file = tmp_path / "deployments" / "31337.json"
    made = Deployment.load(file)
    assert made.rounds in planned and sent.count("created") == len(linked_libraries(bytes(32))) + 2
    before = await real.chain.rpc.transaction_count(account.address, "latest")
    code, again, error = await run(*sending, chain)
    assert code == 0 and "created" not in again, error
    assert await real.chain.rpc.transaction_count(account.address, "latest") == before
    code, verified, error = await run("verify", file, "--rpc", url, "--arguments", arguments)
    assert code == 0 and verified.rstrip().endswith("\nverified"), error
    assert re.search(r"minimum_verifier_stake +1,000 tokens\n", verified), "as the arguments say it"
    assert re.search(r"unbond_delay +604800 s\n", verified)
    arguments.write_text(arguments.read_text().replace("excluded_bps = 2000", "excluded_bps = 2001"))
    code, other, _ = await run("verify", file, "--rpc", url, "--arguments", arguments)
    assert code == Exit.VERIFICATION_FAILED
    assert "excluded_bps is 2000, announced was 2001" in other and "NOT VERIFIED" in other
    code, _, error = await run(*sending, chain)
    assert code == Exit.CONFIG and "is of another deployment" in error

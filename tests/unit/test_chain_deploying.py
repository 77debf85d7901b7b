"""Deployments without a chain: where pieces belong, what code is worth, which chains fit, what files say."""

from __future__ import annotations

from dataclasses import fields, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.contracts.views import Configuration
from jepanet.chain.deploying.create2 import creation
from jepanet.chain.deploying.deployed_code import examined, fault_of
from jepanet.chain.deploying.fitness import judge_randomness
from jepanet.chain.deploying.parameters import TOKEN, DeployParameters
from jepanet.chain.deploying.plan import configuration_of, core, linked_libraries, plan
from jepanet.errors import Exit, Fatal
from jepanet.operations.deploying import check_delay, foresee
from jepanet.settings.deployment_arguments import load_arguments, load_deployer, read_salt
from jepanet.types import Address

pytestmark = pytest.mark.unit

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "example.toml"
ONE, TWO = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
PARAMETERS = DeployParameters(treasury=ONE, arbiter=ONE, owner=ONE, token=TWO)


def written(folder: Path, **changes: object) -> Path:
    """The example with other values."""
    text = EXAMPLE.read_text()
    for key, value in changes.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in text.splitlines()]
        text = "\n".join(lines)
    path = folder / "arguments.toml"
    path.write_text(text + "\n")
    return path


# ------------------------------------------------------------------ addresses


def test_equal_arguments_give_equal_addresses_and_each_argument_counts() -> None:
    planned = plan(PARAMETERS, ONE)
    assert plan(PARAMETERS, TWO) == planned, "who sends does not count"
    configuration = configuration_of(PARAMETERS, TWO)
    places = {name: item.address for name, item in linked_libraries(PARAMETERS.salt).items()}
    assert core(configuration, places, PARAMETERS.salt).address == planned.rounds
    for item in fields(Configuration):
        value = getattr(configuration, item.name)
        other = replace(
            configuration, **{item.name: value + 1 if isinstance(value, int) else Address("0x" + "33" * 20)}
        )
        assert core(other, places, PARAMETERS.salt).address != planned.rounds, item.name


def test_another_library_is_another_core() -> None:
    places = {name: item.address for name, item in linked_libraries(bytes(32)).items()}
    configuration = configuration_of(PARAMETERS, TWO)
    usual = core(configuration, places, bytes(32)).address
    for name in places:
        assert core(configuration, {**places, name: ONE}, bytes(32)).address != usual, name


def test_announced_addresses_are_held_against_the_plan(tmp_path: Path) -> None:
    arguments = load_arguments(EXAMPLE)
    planned = plan(arguments.parameters, ONE)
    right = replace(arguments, expected=replace(arguments.expected, rounds=planned.rounds, lens=planned.lens))
    assert [item.name for item in foresee(right)][-2:] == ["TrainingRounds", "RoundLens"]
    wrong = replace(arguments, expected=replace(arguments.expected, rounds=ONE))
    with pytest.raises(Fatal, match=r"expected\.rounds is .* belongs at") as caught:
        foresee(wrong)
    assert caught.value.code is Exit.VERIFICATION_FAILED


# ------------------------------------------------------------------ code


def on_chain(name: str, *, link: Address = ONE, value: bytes = b"\x07" * 32) -> bytes:
    """The code of a contract as a constructor would leave it."""
    abi = load_abi(name)
    code = bytearray(abi.masked_runtime)
    for places in abi.link_places.values():
        for place in places:
            code[place : place + 20] = bytes.fromhex(link[2:])
    for start, length in abi.immutables:
        code[start : start + length] = value[:length]
    return bytes(code)


def test_code_is_judged_whatever_its_links_and_immutables_are() -> None:
    found = examined("TrainingRounds", on_chain("TrainingRounds", link=TWO))
    assert found.fault is None and set(found.links.values()) == {TWO}
    assert set(found.links) <= set(linked_libraries(bytes(32))) and len(found.links) >= 7
    assert found.values == {b"\x07" * 32}


@pytest.mark.parametrize("name", ["TrainingRounds", "RoundLens", "Disputes", "Deposits"])
def test_one_altered_byte_anywhere_is_seen(name: str) -> None:
    code, abi = on_chain(name), load_abi(name)
    filled = {place for start, length in abi.immutables for place in range(start, start + length)}
    filled |= {
        at for places in abi.link_places.values() for place in places for at in range(place, place + 20)
    }
    for place in sorted(set(range(0, len(code), 97)) - filled):
        altered = code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :]
        assert (
            fault_of(name, altered) == f"1 of {len(code)} bytes are not what was built, from byte {place} on"
        )


def test_swapped_shortened_and_missing_code_is_named() -> None:
    assert fault_of("TrainingRounds", on_chain("RoundLens")) == "it is the code of RoundLens"
    assert fault_of("Disputes", on_chain("Sets")) == "it is the code of Sets"
    assert "bytes, Disputes has" in (fault_of("Disputes", on_chain("Disputes")[:-1]) or "")
    assert fault_of("Disputes", b"") == "there is no code"


def test_a_core_that_names_two_addresses_for_one_library_is_refused() -> None:
    abi, code = load_abi("TrainingRounds"), bytearray(on_chain("TrainingRounds"))
    name, places = max(abi.link_places.items(), key=lambda item: len(item[1]))
    assert len(places) > 1
    code[places[0] : places[0] + 20] = bytes.fromhex(TWO[2:])
    assert fault_of("TrainingRounds", bytes(code)) == f"it names 2 addresses for {name}"


# ------------------------------------------------------------------ chains


def test_a_chain_whose_randomness_stands_still_or_repeats_is_refused() -> None:
    judge_randomness(1, [bytes([n]) * 32 for n in range(32)])
    with pytest.raises(Fatal, match="in each of the last 32 blocks") as caught:
        judge_randomness(42161, [(1).to_bytes(32, "big")] * 32)
    assert caught.value.code is Exit.WRONG_CHAIN
    with pytest.raises(Fatal, match="only 6 values in the last 32 blocks"):
        judge_randomness(10, [bytes([n // 6]) * 32 for n in range(32)])


def test_a_delay_within_which_proposers_are_known_is_refused_on_real_chains() -> None:
    check_delay(1, 65)
    check_delay(31337, 2)
    for delay in (2, 64):
        with pytest.raises(Fatal, match=f"beacon_delay is {delay} blocks") as caught:
            check_delay(1, delay)
        assert caught.value.code is Exit.CONFIG


# ------------------------------------------------------------------ the file


def test_the_example_reads_as_it_says() -> None:
    parameters = load_arguments(EXAMPLE).parameters
    assert (parameters.minimum_verifier_stake, parameters.keeper_reward) == (1000 * TOKEN, TOKEN)
    assert parameters.beacon_delay == 128 and parameters.salt == bytes(32)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("beacon_delay", 1, "beacon_delay"),
        ("minimum_bond", '"ten"', "minimum_bond"),
        ("minimum_bond", "10", "tokens in quotation marks"),
        ("minimum_bond", '"99999999999"', "96 bits"),
        ("owner", '"0x22"', "owner"),
        ("excluded_bps", 10001, "excluded_bps"),
    ],
)
def test_a_bad_argument_is_named(tmp_path: Path, key: str, value: object, words: str) -> None:
    with pytest.raises(Fatal, match=words) as caught:
        load_arguments(written(tmp_path, **{key: value}))
    assert caught.value.code is Exit.CONFIG


def test_no_argument_has_a_default_and_none_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JEPANET_CONTRACTS_TREASURY", ONE)
    for line in EXAMPLE.read_text().splitlines():
        if " = " not in line or line.startswith("#"):
            continue
        path = tmp_path / "less.toml"
        path.write_text(EXAMPLE.read_text().replace(line, ""))
        with pytest.raises(Fatal, match=f"lacks the key '{line.split()[0]}'"):
            load_arguments(path)
    assert load_arguments(EXAMPLE).parameters.treasury != ONE


def test_a_misspelt_key_or_section_and_a_short_salt_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arguments.toml"
    path.write_text(EXAMPLE.read_text() + '\nslat = "0x"\n')
    with pytest.raises(Fatal, match="unknown key 'slat'"):
        load_arguments(path)
    path.write_text(EXAMPLE.read_text() + "\n[wallet]\n")
    with pytest.raises(Fatal, match=r"unknown section \[wallet\]"):
        load_arguments(path)
    with pytest.raises(Fatal, match="32 bytes"):
        read_salt("0x00")


def test_a_deployer_needs_chain_and_wallet_only(tmp_path: Path) -> None:
    path = tmp_path / "deployer.toml"
    path.write_text(
        '[chain]\nendpoints = ["http://127.0.0.1:1"]\ndeployment = "deployments/1.json"\n'
        '[wallet]\ndirectory = "wallets"\n'
    )
    deployer = load_deployer(path, {})
    assert deployer.chain.deployment == tmp_path / "deployments/1.json"
    assert deployer.wallet.directory == tmp_path / "wallets"
    path.write_text('[chain]\nendpoints = []\ndeployment = "d.json"\n[wallet]\ndirectory = "w"\n')
    with pytest.raises(Fatal, match="endpoints is empty"):
        load_deployer(path, {})


def test_the_lens_of_other_rounds_is_elsewhere() -> None:
    one, two = (creation("RoundLens", rounds, salt=bytes(32)).address for rounds in (ONE, TWO))
    assert one != two


# ------------------------------------------------------------------ the command


@pytest.fixture
def script() -> ModuleType:
    """deploy/contracts.py, which is no module of the package."""
    spec = spec_from_file_location("deploy_contracts", EXAMPLE.parent / "contracts.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("raised", "code", "word"),
    [(KeyboardInterrupt, 130, "call again"), (EOFError, Exit.USAGE, "answer at a terminal")],
)
def test_a_deployment_that_is_broken_off_ends_in_words(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: type[BaseException],
    code: int,
    word: str,
) -> None:
    def broken_off(_: object) -> None:
        raise raised

    monkeypatch.setattr(script, "load_arguments", broken_off)
    assert script.main(["plan", str(EXAMPLE)]) == code
    said = capsys.readouterr().err
    assert word in said and "Traceback" not in said


def test_an_endpoint_without_a_scheme_is_refused_in_words(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    code = script.main(["plan", str(EXAMPLE), "--chain-id", "1", "--rpc", "127.0.0.1:8545"])
    said = capsys.readouterr().err
    assert code == Exit.CONFIG and "no http(s) URL" in said and "http://" in said and "None" not in said

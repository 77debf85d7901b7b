"""Configuration: a mistake is one Fatal that names key and remedy; a good file becomes frozen values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.settings.config import Config, config_from, load_config
from jepanet.types import Role

pytestmark = pytest.mark.unit

GOOD = """
[node]
data_dir = "data"
roles = ["solver"]
[wallet]
directory = "wallet"
[chain]
endpoints = ["http://127.0.0.1:8545"]
deployment = "deployment.json"
"""
NOTHING: dict[str, str] = {}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, text: str, **environment: str) -> Config:
    return load_config(written(tmp_path, text), environment)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_minimal_file_is_enough_and_the_rest_has_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.node.roles == (Role.SOLVER,)
    assert config.chain.endpoints == ("http://127.0.0.1:8545",)
    assert config.p2p.bootstrap == ()
    assert config.proposer.rounds == 0
    assert not config.log.json


def test_relative_paths_are_relative_to_the_file_and_not_to_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(tmp_path, changed('"deployment.json"', '"/etc/jepanet/deployment.json"'))
    assert config.node.data_dir == tmp_path / "data"
    assert config.wallet.directory == tmp_path / "wallet"
    assert config.chain.deployment == Path("/etc/jepanet/deployment.json")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(tmp_path, changed('"data"', '"~/data"')).node.data_dir == tmp_path / "home" / "data"


def test_the_values_are_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.node.name = "other"  # type: ignore[misc]  # the point of the test


def test_whole_numbers_serve_where_fractions_are_taken(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD + "poll_seconds = 2\n")
    assert config.chain.poll_seconds == 2.0
    assert isinstance(config.chain.poll_seconds, float)


# (file text, part of the message that names the key, part of the remedy)
MISTAKES: dict[str, tuple[str, str, str]] = {
    "broken TOML": ("[node\n", "not valid TOML", "mend"),
    "a number without end": (GOOD + f"confirmations = {'9' * 5000}\n", "not valid TOML", "mend"),
    "a folder of nobody": (changed('"data"', '"~no-such-user/d"'), "node.data_dir", "node.data_dir"),
    "unknown section": (GOOD + "[nod]\n", "[nod]", "known sections: node"),
    "a section that is no table": ("node = 3\n", "[node]", "write [node]"),
    "unknown key": (changed("data_dir", "datadir"), "'datadir'", "data_dir"),
    "a websocket that is none": (GOOD + 'websocket = "http://127.0.0.1"\n', "chain.websocket", "wss://"),
    "a websocket without a host": (GOOD + 'websocket = "ws://"\n', "chain.websocket", "correct"),
    "a port there is none of": (GOOD + 'websocket = "ws://a:99999"\n', "chain.websocket", "correct"),
    "an endpoint without a host": (changed("127.0.0.1:8545", ""), "chain.endpoints", "correct"),
    "an endpoint with a port of words": (changed(":8545", ":http"), "chain.endpoints", "correct"),
    "an endpoint with a space": (changed(":8545", ":8545/ "), "chain.endpoints", "correct"),
    "missing key": (changed('data_dir = "data"\n', ""), "'data_dir'", "add `data_dir = …` below [node]"),
    "missing section": ("[node]\n" + GOOD.split("[node]\n")[1].split("[wallet]")[0], "[wallet]", "directory"),
    "no such role": (
        changed('"solver"', '"miner"'),
        "node.roles[0] must be one of proposer, solver, coordinator, aggregator, not 'miner'", "solver",
    ),
    "a role that is no text": (changed('["solver"]', "[3]"), "node.roles", "roles"),
    "no role at all": (changed('["solver"]', "[]"), "node.roles is empty", "solver"),
    "roles that exclude each other": (
        changed('["solver"]', '["solver", "coordinator"]'), "solver and coordinator", "two nodes",
    ),
    "text instead of a list": (changed('["solver"]', '"solver"'), "node.roles must be a list", "roles = ["),
    "a list instead of text": (changed('"deployment.json"', '["a"]'), "chain.deployment", "chain.deployment"),
    "a number instead of a path": (changed('"data"', "3"), "node.data_dir", "node.data_dir"),
    "text instead of a number": (GOOD + 'poll_seconds = "1"\n', "chain.poll_seconds", "poll_seconds"),
    "true instead of a number": (GOOD + "timeout_seconds = true\n", "chain.timeout_seconds", "timeout"),
    "a fraction for a whole number": (GOOD + "confirmations = 1.5\n", "chain.confirmations", "confirm"),
    "a number instead of a switch": (GOOD + "[p2p]\nallow_isolated = 1\n", "p2p.allow_isolated", "isolated"),
    "no endpoint": (changed('["http://127.0.0.1:8545"]', "[]"), "chain.endpoints is empty", "http://"),
    "an endpoint that is no http URL": (
        changed("http://127.0.0.1:8545", "ws://127.0.0.1:8545"), "'ws://127.0.0.1:8545'", "http://",
    ),
    "log queries below no distance": (GOOD + "log_queries_above = -1\n", "chain.log_queries_above", "0"),
    "never polling": (GOOD + "poll_seconds = 0\n", "poll_seconds", "more than 0"),
    "negative fee cap": (GOOD + "max_fee_gwei = -1\n", "max_fee_gwei", "more than 0"),
    "a tip above the fee": (
        GOOD + "max_fee_gwei = 20\nmax_tip_gwei = 30\n", "max_tip_gwei is 30, above", "lower",
    ),
    "tips upside down": (
        GOOD + "min_tip_gwei = 3\nmax_tip_gwei = 2\n", "min_tip_gwei is 3, above chain.max_tip_gwei", "lower",
    ),
    "a least tip above the fee": (
        GOOD + "min_tip_gwei = 300\n", "min_tip_gwei is 300, above chain.max_fee_gwei", "lower",
    ),
    "a negative least tip": (GOOD + "min_tip_gwei = -1\n", "chain.min_tip_gwei", "0 or more"),
    "no tip at all": (GOOD + "max_tip_gwei = 0\n", "chain.max_tip_gwei", "more than 0"),
    "no disk": (changed("[wallet]", "storage_gb = 0\n[wallet]"), "storage_gb", "more than 0"),
    "not a number at all": (GOOD + "poll_seconds = nan\n", "chain.poll_seconds", "finite"),
    "infinite": (GOOD + "max_fee_gwei = inf\n", "chain.max_fee_gwei", "finite"),
    "no time to answer": (GOOD + "timeout_seconds = 0\n", "timeout_seconds", "more than 0"),
    "no time to be mined": (GOOD + "stuck_seconds = 0\n", "stuck_seconds", "more than 0"),
    "negative confirmations": (GOOD + "confirmations = -1\n", "chain.confirmations", "0 or more"),
    "no worker thread": (GOOD + "[worker]\nthreads = 0\n", "worker.threads", "more than 0"),
    "no time for a job": (GOOD + "[worker]\njob_timeout_seconds = 0\n", "job_timeout_seconds", "more than 0"),
    "steps": (GOOD + "[proposer]\ninner_steps = -1\n", "proposer.inner_steps", "0"),
    "a negative gap": (GOOD + "[proposer]\ngap_seconds = -1\n", "proposer.gap_seconds", "0 or more"),
    "unknown log level": (GOOD + '[log]\nlevel = "loud"\n', "'loud'", "debug"),
    "a proposer without data": (
        changed('"solver"', '"proposer"') + "[proposer]\nrounds = 1\n", "proposer.dataset", "folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(name: str, tmp_path: Path) -> None:
    text, key, remedy = MISTAKES[name]
    with pytest.raises(Fatal) as caught:
        load(tmp_path, text)
    assert caught.value.code is Exit.CONFIG
    assert key in caught.value.message
    assert caught.value.remedy is not None
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"nowhere\.toml") as caught:
        load_config(tmp_path / "nowhere.toml", NOTHING)
    assert caught.value.code is Exit.CONFIG
    assert caught.value.remedy


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(b"\xff\xfe[node]")
    with pytest.raises(Fatal, match="not UTF-8") as caught:
        load_config(path, NOTHING)
    assert caught.value.code is Exit.CONFIG


def test_a_folder_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=f"{tmp_path} holds no node.toml"):
        load_config(tmp_path, NOTHING)


# ------------------------------------------------------------------ environment


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path, GOOD,
        JEPANET_NODE_ROLES="proposer, aggregator", JEPANET_NODE_NAME="from outside",
        JEPANET_CHAIN_ENDPOINTS="http://a:1,https://b:2", JEPANET_CHAIN_POLL_SECONDS="2.5",
        JEPANET_CHAIN_CONFIRMATIONS="3", JEPANET_P2P_ALLOW_ISOLATED="yes",
        JEPANET_PROJECTS_FOLLOW="1,2", JEPANET_WALLET_PASSWORD_FILE="/run/secrets/password",
    )  # fmt: skip
    assert config.node.roles == (Role.PROPOSER, Role.AGGREGATOR)
    assert config.node.name == "from outside"
    assert config.chain.endpoints == ("http://a:1", "https://b:2")
    assert config.chain.poll_seconds == 2.5
    assert config.chain.confirmations == 3
    assert config.p2p.allow_isolated is True
    assert config.projects.follow == (1, 2)
    assert config.wallet.password_file == Path("/run/secrets/password")


def test_a_misspelt_variable_of_the_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="JEPANET_CHAIN_POL_SECONDS") as caught:
        load(tmp_path, GOOD, JEPANET_CHAIN_POL_SECONDS="1")
    assert caught.value.code is Exit.CONFIG
    assert "poll_seconds" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("JEPANET_WORKR_THREADS", "JEPANET_WORKER_THREADS"),
        ("JEPANET_CHIAN_ENDPOINTS", "JEPANET_CHAIN_ENDPOINTS"),
        ("JEPANET_CONFG", "JEPANET_CONFIG"),
    ],
)
def test_a_misspelt_section_of_a_variable_is_named(variable: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=variable) as caught:
        load(tmp_path, GOOD, **{variable: "1"})
    assert meant in (caught.value.remedy or "")
    text = changed("[wallet]", f'[wallet]\npassword_env = "{variable}"')
    load(tmp_path, text, **{variable: "1"})


def test_the_environment_alone_can_configure_a_node(tmp_path: Path) -> None:
    environment = {
        "JEPANET_NODE_DATA_DIR": "data", "JEPANET_NODE_ROLES": "solver", "JEPANET_WALLET_DIRECTORY": "wallet",
        "JEPANET_CHAIN_ENDPOINTS": "http://a:1", "JEPANET_CHAIN_DEPLOYMENT": "deployment.json",
    }  # fmt: skip
    config = config_from({}, base=tmp_path, environment=environment)
    assert config == load(tmp_path, GOOD.replace("http://127.0.0.1:8545", "http://a:1"))


def test_an_empty_override_of_a_list_empties_it(tmp_path: Path) -> None:
    text = GOOD + '[p2p]\nbootstrap = ["/ip4/10.0.0.1/tcp/1"]\n'
    assert load(tmp_path, text, JEPANET_P2P_BOOTSTRAP="").p2p.bootstrap == ()


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("JEPANET_P2P_ALLOW_ISOLATED", "perhaps", "p2p.allow_isolated"),
        ("JEPANET_CHAIN_POLL_SECONDS", "soon", "chain.poll_seconds"),
        ("JEPANET_CHAIN_CONFIRMATIONS", "1.5", "chain.confirmations"),
        ("JEPANET_PROJECTS_FOLLOW", "1,x", "projects.follow"),
        ("JEPANET_NODE_ROLES", "miner", "node.roles"),
        ("JEPANET_NODE_ROLES", "", "node.roles"),
        ("JEPANET_CHAIN_POLL_SECONDS", "nan", "chain.poll_seconds"),
    ],
)
def test_a_bad_override_names_its_key(variable: str, value: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(Fatal) as caught:
        load_config(written(tmp_path, GOOD), {variable: value})
    assert caught.value.code is Exit.CONFIG
    assert key in caught.value.message
    assert caught.value.remedy


def test_foreign_variables_change_nothing(tmp_path: Path) -> None:
    environment: dict[str, Any] = {"JEPANET_CONFIG": "x", "JEPANET_LOG_LEVEL": "warning", "NODE_ROLES": "x"}
    config = load_config(written(tmp_path, GOOD), environment)
    assert config.node.roles == (Role.SOLVER,)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_config(path, NOTHING).node.roles == (Role.SOLVER,)


def test_a_file_in_another_encoding_is_named_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(GOOD.encode() + "# größe\n".encode("latin-1"))
    with pytest.raises(Fatal, match=r"byte \d+, in line 10") as caught:
        load_config(path, NOTHING)
    assert caught.value.code is Exit.CONFIG
    assert "iconv" in (caught.value.remedy or "")


def test_an_environment_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="JEPANET_NODE_NAME is not UTF-8"):
        load(tmp_path, GOOD, JEPANET_NODE_NAME="gr\udcfc\udcdfe")


def test_the_password_s_variable_may_be_named_like_a_key(tmp_path: Path) -> None:
    text = changed("[wallet]", '[wallet]\npassword_env = "JEPANET_WALLET_PASSWORD"')
    assert load(tmp_path, text, JEPANET_WALLET_PASSWORD="x").wallet.password_env == "JEPANET_WALLET_PASSWORD"
    with pytest.raises(Fatal, match="JEPANET_WALLET_PASSWORDS"):
        load(tmp_path, text, JEPANET_WALLET_PASSWORDS="x")
    by_environment = load(
        tmp_path, GOOD, JEPANET_WALLET_PASSWORD="x", JEPANET_WALLET_PASSWORD_ENV="JEPANET_WALLET_PASSWORD"
    )
    assert by_environment.wallet.password_env == "JEPANET_WALLET_PASSWORD"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('password_env = "A"\npassword_file = "b"', "one password"),
        ('password_env = "correct horse"', "name of an environment variable"),
        ('password_credential = "../x"', "not a path"),
        ('password_credential = "a"\npassword_env = "B"', "one password"),
        ('pasword_env = "A"', "unknown key 'pasword_env'"),
    ],
)
def test_places_of_the_password_are_checked(tmp_path: Path, keys: str, says: str) -> None:
    with pytest.raises(Fatal, match=says) as caught:
        load(tmp_path, changed("[wallet]", f"[wallet]\n{keys}"))
    assert caught.value.code is Exit.CONFIG
    assert "correct horse" not in str(caught.value)

"""`jepanet wallet`, `devnet` and `--help` as an operator runs them: processes, exit codes, files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Exit

pytestmark = pytest.mark.integration

JEPANET = [sys.executable, "-m", "jepanet"]
# The first of anvil's public test accounts: worth nothing, printed in every anvil log.
PUBLIC_TEST_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
PUBLIC_TEST_ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [*JEPANET, *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JEPANET_CONFIG")}
    return subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def said(*arguments: str | Path) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(code: Exit, *arguments: str | Path) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == ""
    error: dict[str, Any] = json.loads(done.stderr)
    assert error["code"] == code
    return error


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return secret(tmp_path / "password", "correct horse")


# ------------------------------------------------------------------ help


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from jepanet.interface.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    shown, _, loaded = done.stdout.partition("LOADED")
    assert "Usage: jepanet" in shown
    heavy = ("web3", "torch", "libp2p", "trio", "numpy", "structlog", "rich", "sqlite3", "eth_account",
             "psutil", "pydantic", "aiohttp", "matplotlib")  # fmt: skip
    assert [name for name in heavy if f"'{name}'" in loaded] == []


def test_a_node_loads_no_learning_library() -> None:
    program = "import sys, jepanet.node.app, jepanet.operations.checks.preflight\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "matplotlib", "scipy", "pandas", "gymnasium", "stable_worldmodel", "cv2"}


# ------------------------------------------------------------------ wallets


def test_a_wallet_is_made_listed_and_kept_private(tmp_path: Path, password: Path) -> None:
    folder = tmp_path / "wallets"
    made = said("wallet", "new", "--light", "--dir", folder, "--password-file", password)
    keystore = Path(made["keystore"])
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(keystore.read_text())["version"] == 3
    assert said("wallet", "list", "--dir", folder) == [made]
    again = said("wallet", "new", "--light", "--dir", folder, "--password-file", password)
    assert again["address"] != made["address"]
    assert len(said("wallet", "list", "--dir", folder)) == 2
    shown = run("wallet", "list", "--dir", folder)
    assert made["address"] in shown.stdout


def test_a_key_is_imported_once_and_never_shown(tmp_path: Path, password: Path) -> None:
    folder, key = tmp_path / "wallets", secret(tmp_path / "key", "0x" + PUBLIC_TEST_KEY)
    arguments = ("wallet", "import", key, "--dir", folder, "--password-file", password)
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert PUBLIC_TEST_KEY not in done.stdout + done.stderr
    (made,) = said("wallet", "list", "--dir", folder)
    assert made["address"] == PUBLIC_TEST_ADDRESS
    assert PUBLIC_TEST_KEY not in Path(made["keystore"]).read_text()
    assert "already exists" in refused(Exit.WALLET, *arguments)["error"]
    copied = said("wallet", "import", made["keystore"], "--dir", tmp_path / "b", "--password-file", password)
    assert copied["address"] == PUBLIC_TEST_ADDRESS


def test_mistakes_with_wallets_are_named(tmp_path: Path, password: Path) -> None:
    folder = tmp_path / "wallets"
    shared = secret(tmp_path / "shared", "pw")
    shared.chmod(0o644)
    error = refused(Exit.WALLET, "wallet", "new", "--dir", folder, "--password-file", shared)
    assert "open to other users" in error["error"]
    assert "chmod 600" in error["remedy"]
    error = refused(Exit.WALLET, "wallet", "new", "--dir", folder)
    assert "no terminal" in error["error"]
    empty = secret(tmp_path / "empty", "")
    assert (
        "empty" in refused(Exit.WALLET, "wallet", "new", "--dir", folder, "--password-file", empty)["error"]
    )
    bad = secret(tmp_path / "bad", "not a key")
    refused(Exit.WALLET, "wallet", "import", bad, "--dir", folder, "--password-file", password)
    assert said("wallet", "list", "--dir", folder) == []
    assert run("wallet", "import", tmp_path / "missing", "--dir", folder).returncode == Exit.USAGE


# ------------------------------------------------------------------ devnet


@pytest.fixture
def devnet(tmp_path: Path, anvil_binary: Path) -> Iterator[Path]:
    folder = tmp_path / "devnet"
    yield folder
    run("devnet", "down", "--dir", folder)


def configured(home: Path, chain: dict[str, Any]) -> Path:
    path = home / "node.toml"
    path.write_text(
        f"""
[node]
data_dir = "data"
roles = ["solver"]
[wallet]
directory = "wallets"
password_file = "password"
[chain]
endpoints = ["{chain["rpc"]}"]
deployment = "{chain["deployment"]}"
[p2p]
allow_isolated = true
"""
    )
    return path


def test_a_local_chain_from_birth_to_restart(tmp_path: Path, devnet: Path, password: Path) -> None:
    wallet = said("wallet", "new", "--light", "--dir", tmp_path / "wallets", "--password-file", password)
    port = str(free_port())
    chain = said("devnet", "up", "--dir", devnet, "--port", port, "--block-time", "0.5")
    assert psutil.pid_exists(chain["pid"])
    assert chain["rpc"].endswith(port)
    assert sorted(chain["contracts"]) == ["lens", "rounds", "token"]
    assert len(set(chain["contracts"].values())) == 3
    error = refused(Exit.ALREADY_RUNNING, "devnet", "up", "--dir", devnet, "--port", port)
    assert "devnet down" in error["remedy"]
    other = tmp_path / "other"
    refused(Exit.PORT_IN_USE, "devnet", "up", "--dir", other, "--port", port)
    refused(Exit.NOT_FOUND, "devnet", "status", "--dir", other)
    assert refused(Exit.USAGE, "devnet", "fund", "0x12", "--dir", devnet)["remedy"]

    funded = said("devnet", "fund", wallet["address"], "--dir", devnet, "--tokens", "50", "--ether", "3")
    assert funded["funded"] == [wallet["address"]]
    config = configured(tmp_path, chain)
    held = said("wallet", "show", "--config", config)
    assert (held["tokens"], held["native"]) == (str(50 * 10**18), str(3 * 10**18))
    assert "50" in run("wallet", "show", "--config", config).stdout
    head = said("devnet", "status", "--dir", devnet)["head"]

    said("devnet", "down", "--dir", devnet)
    assert not alive(chain["pid"])
    refused(Exit.NOT_FOUND, "devnet", "status", "--dir", devnet)
    refused(Exit.NOT_FOUND, "devnet", "down", "--dir", devnet)
    refused(Exit.CHAIN_UNREACHABLE, "wallet", "show", "--config", config)

    again = said("devnet", "up", "--dir", devnet, "--port", port, "--block-time", "0.5")
    assert again["contracts"] == chain["contracts"]
    assert again["head"] >= head
    assert said("wallet", "show", "--config", config) == held


def test_a_node_cannot_be_led_to_another_chain(tmp_path: Path, devnet: Path, password: Path) -> None:
    said("wallet", "new", "--light", "--dir", tmp_path / "wallets", "--password-file", password)
    chain = said("devnet", "up", "--dir", devnet, "--port", str(free_port()), "--block-time", "0.5")
    config = configured(tmp_path, chain)
    here = run("node", "check", "--config", config, "--json")
    assert here.returncode == Exit.UNFUNDED, "the right chain, and a wallet without funds"
    assert json.loads(here.stdout)["roles"] == "solver"
    altered = tmp_path / "altered.json"
    document = json.loads(Path(chain["deployment"]).read_text())
    document["chain_id"] = 1
    altered.write_text(json.dumps(document))
    config.write_text(config.read_text().replace(chain["deployment"], str(altered)))
    done = run("node", "check", "--config", config, "--json")
    assert done.returncode == Exit.WRONG_CHAIN, done.stderr


def test_a_reused_process_id_is_neither_taken_for_the_chain_nor_killed(tmp_path: Path) -> None:
    folder = tmp_path / "devnet"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            record = {"pid": stranger.pid, "process": "another boot/1/1", "port": 1, "chain_id": 31337,
                      "rpc": "http://127.0.0.1:1", "websocket": "ws://127.0.0.1:1"}  # fmt: skip
            (folder / "devnet.json").write_text(json.dumps(record))
            refused(Exit.NOT_FOUND, "devnet", "down", "--dir", folder)
            refused(Exit.NOT_FOUND, "devnet", "status", "--dir", folder)
            assert stranger.poll() is None
        finally:
            stranger.kill()

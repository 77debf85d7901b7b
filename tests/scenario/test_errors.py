"""What an operator gets wrong ends the command with its own code and one line that names the remedy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from network import Network

from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Exit

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(300)]

RUN = [sys.executable, "-m", "jepanet"]
SMALL_DISK = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from faults import small_disk
limit = int(sys.argv.pop(1))
from jepanet.interface.cli import main
small_disk(limit)
main(sys.argv[1:])
"""


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return finish([*RUN, *map(str, arguments)], **environment)


def finish(line: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, capture_output=True, text=True, timeout=200, check=False, env={**os.environ, **environment}
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], code: Exit, *words: str) -> None:
    """The exit code, one line of error, one line of remedy; no traceback, no log."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    said = [line for line in done.stderr.splitlines() if not _is_log(line)]
    assert len(said) == 2, done.stderr
    assert said[0].startswith("jepanet: ")
    assert said[1].startswith("  what to do: ")
    for word in words:
        assert word in done.stderr, done.stderr


def _is_log(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.fixture
def config(network: Network, tmp_path: Path) -> Path:
    """A solver's configuration of its own, beside the network's nodes; tests spoil it."""
    from network import Node, new_wallet, write_config

    home = tmp_path / "operator"
    node = Node("operator", ("solver",), home, new_wallet(home), network.nursery)
    write_config(network, node, {})
    return node.config


def spoil(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_an_unknown_key(config: Path) -> None:
    spoil(config, "poll_seconds", "pol_seconds")
    assert_one_clear_line(run("node", "run", "--config", config), Exit.CONFIG, "pol_seconds", "poll_seconds")


def test_broken_toml_and_a_missing_file(config: Path, tmp_path: Path) -> None:
    spoil(config, "[chain]", "[chain")
    assert_one_clear_line(run("node", "run", "--config", config), Exit.CONFIG, "not valid TOML")
    assert_one_clear_line(run("node", "run", "--config", tmp_path / "none.toml"), Exit.CONFIG, "none.toml")


def test_a_wrong_password(config: Path) -> None:
    (config.parent / "password").write_text("not the password\n")
    assert_one_clear_line(run("node", "run", "--config", config), Exit.WALLET, "password")


def test_the_wrong_chain(network: Network, config: Path, tmp_path: Path) -> None:
    foreign = json.loads((network.folder / "deployment.json").read_text())
    foreign["chain_id"] = 31338
    (tmp_path / "foreign.json").write_text(json.dumps(foreign))
    spoil(config, str(network.folder / "deployment.json"), str(tmp_path / "foreign.json"))
    assert_one_clear_line(run("node", "run", "--config", config), Exit.WRONG_CHAIN, "31337", "31338")


def test_a_chain_that_does_not_answer(network: Network, config: Path) -> None:
    spoil(config, f'endpoints = ["{network.anvil.url}"]', f'endpoints = ["http://127.0.0.1:{free_port()}"]')
    assert_one_clear_line(run("node", "run", "--config", config), Exit.CHAIN_UNREACHABLE, "127.0.0.1")


def test_anvil_is_missing(tmp_path: Path) -> None:
    done = run(
        "devnet", "up", "--dir", tmp_path / "chain", "--port", str(free_port()),
        JEPANET_ANVIL=str(tmp_path / "anvil"),
    )  # fmt: skip
    assert_one_clear_line(done, Exit.TOOL_MISSING, "JEPANET_ANVIL")


def test_a_port_in_use(config: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        spoil(config, "/ip4/127.0.0.1/tcp/0", f"/ip4/127.0.0.1/tcp/{port}")
        assert_one_clear_line(run("node", "run", "--config", config), Exit.PORT_IN_USE, str(port))
        done = run("devnet", "up", "--dir", tmp_path / "chain", "--port", str(port))
        assert_one_clear_line(done, Exit.PORT_IN_USE, str(port))


def test_no_peers(network: Network, config: Path) -> None:
    spoil(config, f"bootstrap = {json.dumps(list(network.bootstrap))}", "bootstrap = []")
    assert_one_clear_line(run("node", "run", "--config", config), Exit.NO_PEERS, "p2p.bootstrap")


def test_a_second_node_on_the_same_data(network: Network) -> None:
    network.run_nodes("solver-1")
    node = network.nodes["solver-1"]
    assert_one_clear_line(run("node", "run", "--config", node.config), Exit.ALREADY_RUNNING)
    assert node.alive


def test_a_full_disk(config: Path) -> None:
    """No file may grow beyond 48 KiB: the journal cannot be kept, so the node must not go on."""
    tests = Path(__file__).resolve().parent.parent
    line = [
        sys.executable,
        "-c",
        SMALL_DISK,
        str(tests),
        str(48 << 10),
        "node",
        "run",
        "--config",
        str(config),
    ]
    started = time.monotonic()
    done = finish(line)
    assert time.monotonic() - started < 200
    assert_one_clear_line(done, Exit.DISK_FULL, "disk")

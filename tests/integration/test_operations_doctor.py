"""`jepanet doctor` against a real chain: rows beyond those of `node check`, and a bundle beside them."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from contract_fixtures import Network, configured, deployed_network

from jepanet.interface.cli import cli

pytestmark = pytest.mark.integration

SOLVER = 3


@pytest.fixture(autouse=True)
def _logging() -> Any:
    yield
    structlog.reset_defaults()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as made:
        yield made


async def examined(*words: object) -> tuple[dict[str, Any], int]:
    """What was printed, with each row by its check, and the exit code."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["doctor", *map(str, words), "--json"])
    printed = json.loads(result.stdout)
    code = getattr(result.exception, "code", result.exit_code)
    return {row["check"]: row for row in printed["rows"]}, int(code or 0)


async def test_a_node_of_a_healthy_chain_is_looked_at_from_every_side(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = configured(network, SOLVER, tmp_path / "home")
    rows, code = await examined("--config", config, "--bundle", tmp_path / "a.zip")
    assert code == 0, [row for row in rows.values() if row["level"] == "failure"]
    for check in ("versions", "system", "memory", "disk", "disk speed", "device", "clock skew", "node",
                  "wallet", "windows", "latency 127.0.0.1", "open files"):  # fmt: skip
        assert check in rows, check
    assert "torch" in rows["device"]["finding"] and "thread" in rows["device"]["finding"]
    assert "ms a request" in rows["latency 127.0.0.1"]["finding"]
    assert rows["node"]["finding"] == "has never run here"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        told = json.loads(archive.read("checks.json"))
    assert {row["check"] for row in told["rows"]} == set(rows)
    assert (config.parent / "password").read_text().strip() == "pw", "the folder is left as it was"


async def test_what_cannot_be_reached_or_read_is_told_with_a_bundle_all_the_same(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = configured(network, SOLVER, tmp_path / "home")
    text = config.read_text()
    config.write_text(text.replace(network.chain.anvil.url, "http://127.0.0.1:1/a-secret-key-0123"))
    rows, code = await examined("--config", config, "--bundle", tmp_path / "a.zip")
    assert code != 0 and rows["endpoint 127.0.0.1"]["level"] == "failure"
    assert rows["latency 127.0.0.1"]["level"] == "warning"
    assert b"a-secret-key-0123" not in (tmp_path / "a.zip").read_bytes()
    config.write_text("nonsense = [")
    rows, code = await examined("--config", config, "--bundle", tmp_path / "b.zip")
    assert code == 10 and rows["configuration"]["level"] == "failure"
    assert (tmp_path / "b.zip").exists()


async def test_without_a_configuration_this_machine_is_looked_at() -> None:
    rows, code = await examined()
    assert code == 0 and {"versions", "system", "memory", "disk speed", "device"} <= set(rows)

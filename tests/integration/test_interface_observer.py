"""A stranger looks at a network with an endpoint and a deployment file: no node, wallet, roles or file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from contract_fixtures import PARAMS, Network, deployed_network, found_project

from jepanet.errors import Exit, JepanetError
from jepanet.interface.cli import cli

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        await found_project(network)
        await network.do(0, network.contracts.rounds.open_round(PARAMS))
        yield network


def ran(*arguments: object) -> Any:
    """What a command printed as JSON, or the error that ended it."""
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    if result.exception is not None:
        assert isinstance(result.exception, JepanetError), result.exception
        return result.exception
    return json.loads(result.stdout)


async def test_an_endpoint_and_a_deployment_are_enough_to_look(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    network.deployment.save(tmp_path / "net.json")
    options = ("--rpc", network.chain.anvil.url, "--deployment", "net.json")

    async def look(*arguments: object) -> Any:
        return await asyncio.to_thread(ran, *arguments, *options)

    (listed,) = await look("round", "list")
    assert (listed["round"], listed["phase"]) == (1, "commit")
    assert (await look("round", "show", 1))["budget"] == str(PARAMS.budget)
    assert (await look("project", "list"))[0]["active_round"] == 1
    assert (await look("project", "show", 1))["verifier_set"] == 1
    assert (await look("verifiers", "show", 1))["active"] is True
    for command in (("verify", 1), ("model", "export", "--out", "m"), ("model", "card", 1, "--out", "m")):
        refused = await look(*command)
        assert refused.code is Exit.NOT_FOUND, "nothing is recorded yet; and nothing else was asked for"

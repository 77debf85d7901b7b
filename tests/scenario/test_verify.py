"""`jepanet verify`: agrees with an honest round from nothing, and names the input with one altered byte."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from network import Network, run_async
from safetensors.numpy import load

import jepanet
from installed_wheel import built, installed, run, without_checkout
from jepanet.chain.contracts.all import StakeAccount
from jepanet.cid import to_cid
from jepanet.errors import Exit
from jepanet.interface.cli import main
from jepanet.operations.access import open_chain
from jepanet.protocol import facts
from jepanet.protocol.state import Round
from jepanet.settings.config import load_config

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(600)]

INPUTS = ("score sheet", "round spec", "recipe", "dataset manifest", "base model", "evaluation shard")


@pytest.fixture(scope="module")
def lines_before(network: Network) -> dict[str, int]:
    """How much each node had logged before this module's round: other modules attack the same nodes."""
    return {node.name: len(node.events()) if node.log.exists() else 0 for node in network.nodes.values()}


@pytest.fixture(scope="module")
def settled(network: Network, lines_before: dict[str, int]) -> int:
    """A settled round of two honest solvers, whose trainings leave states for audits."""
    network.run_nodes()
    round_id = network.play(commits=2, audit_segments=2, audit_probability_milli=1000)
    network.wait_finished(round_id)
    return round_id


@pytest.fixture(scope="module")
def filled(network: Network, settled: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that one online verification has filled."""
    folder = tmp_path_factory.mktemp("verify") / "inputs"
    code, report = verify(network, settled, folder, "--peer", network.bootstrap[0])
    assert (code, report["agrees"]) == (Exit.OK, True), report
    return folder


def test_of_an_ended_round_nothing_stays_locked(network: Network, settled: int) -> None:
    """Running nodes claim pay and bonds, and what the escrow did not pay is the proposer's at once."""
    (ended,) = network.events(facts.ChainRoundSettled, settled)
    assert ended.returned > 0, "the escrow exceeds what was paid"
    assert stake_of(network, network.hub.address).free >= ended.returned
    for node in network.nodes.values():
        network.wait(f"the bond of {node.name}", lambda node=node: not stake_of(network, node.address).locked)


def stake_of(network: Network, account: Any) -> StakeAccount:
    return run_async(_stake(network, account))


async def _stake(network: Network, account: Any) -> StakeAccount:
    async with open_chain(load_config(network.hub.config).chain) as chain:
        return await chain.contracts.lens.account(account, "latest")


def verify(network: Network, round_id: int, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """(exit code, report) of `jepanet verify`."""
    return command(network, folder, "verify", str(round_id), *options)


def command(network: Network, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Runs a command of an observer in this process; (exit code, what it printed as JSON)."""
    import contextlib
    import io

    printed = io.StringIO()
    config = ("--config", str(network.judge.config), "--inputs", str(folder), "--json")
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main([*words, *config])
    return int(ended.value.code or 0), json.loads(printed.getvalue() or "{}")


def names(network: Network, round_: Round) -> dict[str, str]:
    """File name of every input of a round, by what `verify` calls it."""
    project = network.state().projects[round_.project_id]
    assert round_.recorded is not None and round_.shard is not None
    found = {
        "score sheet": to_cid(round_.recorded.sheet, "dag-json"),
        "round spec": to_cid(round_.params.spec, "dag-json"),
        "recipe": to_cid(project.recipe, "dag-json"),
        "dataset manifest": to_cid(project.dataset, "dag-json"),
        "base model": to_cid(round_.base),
        "evaluation shard": to_cid(round_.shard),
    }
    found.update({f"delta of {item.solver}": to_cid(item.digest) for item in round_.reveals})
    return found


def test_a_healthy_round_logs_nothing_to_look_at(
    network: Network, settled: int, lines_before: dict[str, int]
) -> None:
    """Messages that are early or late, and duties with nothing to do, are every round's daily business."""
    for node in network.nodes.values():
        since = node.events()[lines_before[node.name] :]
        # `line.repeated` counts what came before.
        lines = [
            item
            for item in since
            if item.get("room") not in (None, "log") and item["event"] != "line.repeated"
        ]
        assert lines, node.name
        loud = [(item["event"], item.get("why")) for item in lines if item["level"] != "info"]
        assert not loud, (node.name, loud)
        assert not {"message.refused", "message.ignored", "duty.done"} & {item["event"] for item in lines}


def test_a_fresh_folder_is_filled_and_agrees(network: Network, settled: int, filled: Path) -> None:
    held = {path.name for path in filled.iterdir() if path.is_file()}
    assert set(names(network, network.round(settled)).values()) <= held


def test_offline_needs_nothing_but_the_folder(network: Network, settled: int, filled: Path) -> None:
    code, report = verify(network, settled, filled, "--offline")
    assert (code, report["agrees"]) == (Exit.OK, True)
    checks = {item["check"] for item in report["checks"]}
    assert {"inputs", "sheet", "chain root", "chain model", "chain payout", "merge"} <= checks


def test_a_stranger_with_the_revealed_salts_trains_the_same_deltas(
    network: Network, settled: int, filled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inputs"
    shutil.copytree(filled, folder, ignore=shutil.ignore_patterns(".p2p"))
    named = [word for node in network.solvers for word in ("--retrain", node.address)]
    code, report = verify(network, settled, folder, "--peer", network.bootstrap[0], *named)
    details = {item["check"]: item["detail"] for item in report["checks"]}
    assert code == Exit.OK
    for node in network.solvers:
        reveal = network.round(settled).reveal_of(node.address)
        assert reveal is not None
        assert (
            details[f"training of {node.address}"] == f"its salt {reveal.salt.hex()} leads to the same bytes"
        )
    # A wallet that revealed nothing has no training to repeat: said, and no reason for a dispute.
    code, report = verify(network, settled, folder, "--offline", "--retrain", network.hub.address)
    assert code == Exit.VERIFICATION_FAILED
    assert [item["check"] for item in report["checks"] if not item["agrees"]] == [
        f"training of {network.hub.address}"
    ]


def test_a_stranger_does_parts_of_the_trainings_again(
    network: Network, settled: int, filled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inputs"
    shutil.copytree(filled, folder, ignore=shutil.ignore_patterns(".p2p"))
    words = ("audit", str(settled))
    # Of its states a solver is the only one who has them.
    statuses = [node.status() for node in network.solvers]
    peers = [word for status in statuses if status for word in ("--peer", status["addresses"][0])]
    code, report = command(network, folder, *words, *peers)
    assert (code, report["agrees"]) == (Exit.OK, True), report
    found = [(row["solver"], row["segment"], row["first"], row["last"]) for row in report["segments"]]
    solvers = [item.solver for item in network.round(settled).reveals]
    assert found == [(solver, *part) for solver in solvers for part in ((0, 0, 2), (1, 2, 4))]
    assert {row["found"] for row in report["segments"]} == {"reproduced"}
    # What was fetched is enough for whoever has no network; a state of which a byte differs is named.
    assert command(network, folder, *words, "--offline")[0] == Exit.OK
    states = [path for path in folder.iterdir() if path.is_file() and b"jepanet.state.2" in path.read_bytes()]
    assert len(states) == len(solvers)
    states[0].write_bytes(states[0].read_bytes()[:-1] + b"?")
    code, _ = command(network, folder, *words, "--offline")
    assert code not in (Exit.OK, Exit.VERIFICATION_FAILED)
    states[0].unlink()
    code, report = command(network, folder, *words, "--offline")
    assert code == Exit.VERIFICATION_FAILED
    assert sorted(row["found"] for row in report["segments"]) == ["not served", *["reproduced"] * 3]


def test_offline_without_a_file_says_which_one(network: Network, settled: int, tmp_path: Path) -> None:
    code, _ = verify(network, settled, tmp_path / "empty", "--offline")
    assert code not in (Exit.OK, Exit.VERIFICATION_FAILED)


def test_one_altered_byte_of_any_input_is_named(
    network: Network, settled: int, filled: Path, tmp_path: Path
) -> None:
    inputs = names(network, network.round(settled))
    assert set(INPUTS) < set(inputs) and len(inputs) == len(INPUTS) + 2
    for what, name in inputs.items():
        folder = tmp_path / what.split()[0] / name
        shutil.copytree(filled, folder, ignore=shutil.ignore_patterns(".p2p"))
        path = folder / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        code, report = verify(network, settled, folder, "--offline")
        assert code == Exit.VERIFICATION_FAILED, what
        assert not report["agrees"]
        failed = [item for item in report["checks"] if not item["agrees"]]
        assert len(failed) == 1
        assert failed[0]["check"] == "altered-input"
        assert failed[0]["detail"].startswith(what), failed
        assert name in failed[0]["detail"]


def test_a_card_beside_the_model_tells_where_it_came_from(
    network: Network, settled: int, filled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inputs"
    shutil.copytree(filled, folder, ignore=shutil.ignore_patterns(".p2p"))
    card = ("model", "card", str(settled), "--out", str(tmp_path / "out"))
    code, made = command(network, folder, *card, "--peer", network.bootstrap[0])
    assert code == Exit.OK
    text = Path(made["card"]).read_text()
    recorded = network.round(settled).recorded
    assert recorded is not None
    weights = load(Path(made["file"]).read_bytes())
    assert made["model"] == to_cid(recorded.model) and made["model"] in text
    assert sum(int(array.size) for array in weights.values()) == made["parameters"]
    inputs = names(network, network.round(settled))
    for what in ("score sheet", "recipe", "dataset manifest", "base model", "evaluation shard"):
        assert inputs[what] in text, what
    assert command(network, folder, *card, "--offline") == (Exit.OK, made)


def test_no_card_of_a_round_that_recorded_nothing(network: Network, filled: Path, tmp_path: Path) -> None:
    code, _ = command(network, filled, "model", "card", "999999", "--out", str(tmp_path), "--offline")
    assert code == Exit.NOT_FOUND


def test_the_examples_of_the_page_run_from_an_installed_wheel(
    network: Network, settled: int, tmp_path: Path
) -> None:
    """Outside the repository, of a network whose peers serve a settled round: blocking and awaited."""
    site = installed(built(tmp_path)[1], tmp_path / "site")
    place = tmp_path / "notebook"
    (place / "data").mkdir(parents=True)
    for name in ("training-00.safetensors", "public.safetensors"):
        shutil.copy(network.dataset / name, place / "data" / name)
    shutil.copy(network.folder / "deployment.json", place)
    usual = {"http://127.0.0.1:8545": network.anvil.url, "round(1)": f"round({settled})"}
    code = (
        "import asyncio, json, sys, python_page; names, usual = map(json.loads, sys.argv[1:]);"
        "blocking = asyncio.run(python_page.play('A network', dict(names), usual));"
        "awaited = asyncio.run(python_page.play('Coroutines', dict(names), usual));"
        "import jepanet; print(json.dumps({'from': jepanet.__file__, 'steps': blocking['delta'].steps,"
        "'agrees': blocking['report'].agrees,"
        "'models': [each['model'].digest for each in (blocking, awaited)],"
        "'solvers': [receipt.solver for receipt in blocking['details'].sheet.receipts]}))"
    )
    words = [json.dumps(item) for item in ({"PEER": network.bootstrap[0]}, usual)]
    shown = run(sys.executable, "-c", code, *words, folder=place, **without_checkout(site)).splitlines()
    told, round_ = json.loads(shown[-1]), network.round(settled)
    newest = network.state().projects[round_.project_id].model
    assert Path(told["from"]).is_relative_to(site)
    assert told["models"] == [to_cid(newest)] * 2 and told["agrees"] and told["steps"] > 0
    assert set(told["solvers"]) == {item.solver for item in round_.reveals}
    assert any(line.endswith("checks agree") for line in shown)
    assert (place / "inputs" / to_cid(newest)).is_file(), "it came from the peer, into the page's folder"


def test_python_verifies_looks_and_loads_without_a_file(
    network: Network, settled: int, filled: Path, tmp_path: Path
) -> None:
    """The blocking form with its own thread and its own process for the work."""
    folder = tmp_path / "inputs"
    shutil.copytree(filled, folder, ignore=shutil.ignore_patterns(".p2p"))
    round_ = network.round(settled)
    assert round_.recorded is not None
    with jepanet.Network.connect(
        rpc=network.anvil.url,
        deployment=network.folder / "deployment.json",
        peers=network.bootstrap[:1],
        inputs=folder,
    ) as looked:
        found = looked.round(settled)
        report = jepanet.verify(found)
        assert report.agrees and {"sheet", "merge"} <= {item.check for item in report.checks}
        revealed = {item.solver: item.delta for item in found.commitments()}
        assert revealed == {item.solver: to_cid(item.digest) for item in round_.reveals}
        details = found.details()
        assert details.sheet.figures is not None and details.sheet.figures.fees
        assert {item.solver for item in details.sheet.receipts} == set(revealed)
        assert details.summary.payout == round_.recorded.payout
        merged = found.load_model()
        assert merged.digest == to_cid(round_.recorded.model)
        assert looked.load_model(int(round_.project_id)).digest == merged.digest, "and it is the newest"
    altered = folder / to_cid(round_.recorded.sheet, "dag-json")
    altered.write_bytes(altered.read_bytes().replace(b'"', b"'", 1))
    with (
        jepanet.Network.connect(
            rpc=network.anvil.url, deployment=network.folder / "deployment.json", inputs=folder, offline=True
        ) as looked,
        pytest.raises(jepanet.AuditFailed) as caught,
    ):
        jepanet.verify(looked.round(settled))
    assert [item.check for item in caught.value.report.checks if not item.agrees] == ["altered-input"]

"""What can be known before a start is said before it, and before anything is paid or trained."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.answers import Header
from jepanet.chain.following.pace import Pace
from jepanet.errors import Exit, Fatal
from jepanet.interface.arguments.model import command as model
from jepanet.interface.arguments.node import command as node
from jepanet.interface.arguments.round import command as round_
from jepanet.interface.arguments.stake import command as stake
from jepanet.interface.arguments.verifiers import command as verifiers
from jepanet.learning.machine import device as device_module
from jepanet.learning.machine.device import probe
from jepanet.operations import access
from jepanet.operations.checks import machine as machine
from jepanet.operations.checks.endpoints import judge_head
from jepanet.operations.checks.findings import Finding, Level, failures
from jepanet.operations.checks.machine import check_journal, check_machine, check_settings, writable_folder
from jepanet.operations.checks.preflight import NotReady, refuse_to_start
from jepanet.operations.checks.windows import judge_drawing, judge_rounds
from jepanet.operations.datasets import open_dataset
from jepanet.operations.projects.draft import draft_project
from jepanet.settings.config import Config, ProposerSection, load_config
from jepanet.storage.journal import Journal
from jepanet.telemetry import configure_logging
from jepanet.types import Address, BlockRef, Role

pytestmark = pytest.mark.unit

PEER = "/ip4/127.0.0.1/tcp/4801/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"


def configured(home: Path, *, node: str = "", p2p: str = f'bootstrap = ["{PEER}"]', more: str = "") -> Config:
    path = home / "node.toml"
    path.write_text(
        f"""
[node]
data_dir = "data"
{node or 'roles = ["solver"]'}
[wallet]
directory = "wallets"
[chain]
endpoints = ["http://127.0.0.1:1"]
deployment = "deployment.json"
[p2p]
{p2p}
{more}
"""
    )
    return load_config(path, {})


def broken(rows: Iterable[Finding]) -> list[Finding]:
    rows = list(rows)
    assert all(row.remedy for row in rows if row.level is not Level.OK), "each fault names its remedy"
    return [row for row in rows if row.level is not Level.OK]


def test_usable_settings_pass(tmp_path: Path) -> None:
    assert not broken(check_settings(configured(tmp_path)))
    assert not broken(check_settings(configured(tmp_path, p2p="allow_isolated = true")))
    announced = 'announce = ["/dns4/node.example.org/tcp/4701", "/ip6/2001:db8::1/tcp/4701"]'
    assert not broken(check_settings(configured(tmp_path, p2p=f'{announced}\nbootstrap = ["{PEER}"]')))


@pytest.mark.parametrize(
    ("p2p", "code", "words"),
    [
        ("", Exit.NO_PEERS, "allow_isolated"),
        ('bootstrap = ["127.0.0.1:4801"]', Exit.CONFIG, "p2p.bootstrap"),
        (f'bootstrap = ["{PEER.split("/p2p/", maxsplit=1)[0]}"]', Exit.CONFIG, "p2p.bootstrap"),
        ('allow_isolated = true\nlisten = "0.0.0.0:4701"', Exit.CONFIG, "p2p.listen"),
        ('allow_isolated = true\nlisten = "/ip4/0.0.0.0/udp/4701"', Exit.CONFIG, "p2p.listen"),
        *(
            (f'allow_isolated = true\nannounce = ["{bad}"]', Exit.CONFIG, "p2p.announce")
            for bad in (
                "node.example.org:4701",
                "/ip4/0.0.0.0/tcp/4701",
                "/ip6/::/tcp/4701",
                "/ip4/203.0.113.7/tcp/0",
                "/ip4/203.0.113.7/udp/4701",
                "/ip4/203.0.113.7",
                "/dns4/node.example.org/tcp/99999",
                "",
            )
        ),
    ],
)
def test_an_address_nobody_could_use_names_its_key(tmp_path: Path, p2p: str, code: Exit, words: str) -> None:
    (row,) = broken(check_settings(configured(tmp_path, p2p=p2p)))
    assert (row.level, row.code, row.final) == (Level.FAILURE, code, True)
    assert words in (row.remedy or "")


def test_terms_that_nobody_proposes_are_told(tmp_path: Path) -> None:
    config = configured(tmp_path, more="[proposer]\nrounds = 2")
    (row,) = (item for item in check_settings(config) if item.level is Level.WARNING)
    assert (row.check, row.remedy and "node.roles" in row.remedy) == ("proposer", True)
    assert all(item.check != "proposer" for item in check_settings(configured(tmp_path)))


async def test_terms_that_nobody_proposes_are_told_at_start(tmp_path: Path) -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    try:
        await refuse_to_start(configured(tmp_path, more="[proposer]\nrounds = 2"))
    finally:
        configure_logging(level="error")
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["check"]) for line in told] == [("check.warned", "proposer")]


def test_a_proposer_needs_its_section(tmp_path: Path) -> None:
    (row,) = broken(check_settings(configured(tmp_path, node='roles = ["proposer"]')))
    assert (row.check, row.code, row.final) == ("proposer", Exit.CONFIG, True)
    config = configured(
        tmp_path, node='roles = ["proposer"]', more='[proposer]\nrounds = 2\ndataset = "none"'
    )
    (row,) = broken(check_settings(config))
    assert (row.code, row.final) == (Exit.DATASET, True)


# ------------------------------------------------------------------ this machine


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert writable_folder(tmp_path / "a" / "b").endswith("(will be made)")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    assert writable_folder(tmp_path / "there") == str(tmp_path / "there")
    (tmp_path / "link").symlink_to("there")
    assert writable_folder(tmp_path / "link")
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize(
    "kind", ["file", "below a file", "loop", "nowhere", "below a loop", "not to be made"]
)
def test_a_data_directory_that_cannot_be_one_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "data"
    match kind:
        case "file" | "below a file":
            place.write_text("")
        case "loop" | "below a loop":
            place.symlink_to(place)
        case "nowhere":
            place.symlink_to(tmp_path / "gone")
        case "not to be made":
            place = Path("/proc/self/no-folder")
    with pytest.raises(Fatal) as caught:
        writable_folder(place / "more" if kind.startswith("below") else place)
    assert caught.value.code is Exit.CONFIG
    assert "node.data_dir" in (caught.value.remedy or "")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_right(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", no_right)  # tests may run as root, who may all
    with pytest.raises(Fatal, match="Permission denied"):
        writable_folder(tmp_path)


def test_a_folder_of_another_network_is_told(tmp_path: Path) -> None:
    zero = Address("0x" + "00" * 20)
    here = Deployment(7, 1, bytes(32), 1, zero, zero, zero, 1)
    assert not list(check_journal(tmp_path, here))
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        journal.bind(f"7/{zero}")
        assert not list(check_journal(tmp_path, here)), "also while a node holds it"
        (row,) = check_journal(tmp_path, replace(here, chain_id=8))
    assert (row.code, row.final) == (Exit.WRONG_CHAIN, True) and row.remedy
    (tmp_path / "journal.sqlite").write_bytes(b"no database at all" * 100)
    assert not list(check_journal(tmp_path, here)), "opening it says what is wrong"


def test_little_room_and_few_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path)
    found = {}
    for free, files in ((1 << 20, 100), (5 << 30, 512), (500 << 30, 1 << 20)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        monkeypatch.setattr(machine.resource, "getrlimit", lambda _, files=files: (files, files))
        rows = {row.check: row for row in check_machine(config, running=True)}
        found[free] = (rows["disk"], rows["open files"])
    few, some, many = found.values()
    assert [row.level for row in few] == [Level.FAILURE] * 2 and few[0].code is Exit.DISK_FULL
    assert [row.level for row in some] == [Level.WARNING] * 2
    assert [row.level for row in many] == [Level.OK] * 2


@pytest.mark.parametrize("what", ["threads", "processes"])
def test_more_threads_or_processes_than_cores_are_told(what: str, tmp_path: Path) -> None:
    config = configured(tmp_path, more=f"[worker]\n{what} = {2 * (os.cpu_count() or 1)}")
    assert what in {row.check for row in broken(check_machine(config, running=True))}


@pytest.mark.parametrize(
    ("memory", "device", "processes", "level", "says"),
    [
        (0, "cpu", 1, Level.OK, "trains up to about 645 million"),
        (8, "cpu", 2, Level.OK, "trains up to about 67"),
        (0.5, "cpu", 1, Level.WARNING, "no model can be trained in 0.5 GiB"),
        (64, "cpu", 1, Level.WARNING, "the machine has 32.0 GiB"),
        (64, "cuda:0", 1, Level.OK, "in 64.0 GiB"),
        (0, "cuda:0", 1, Level.OK, "the memory of cuda:0"),
    ],
)
def test_how_large_a_model_trains_here_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    memory: float,
    device: str,
    processes: int,
    level: Level,
    says: str,
) -> None:
    monkeypatch.setattr(machine, "installed_memory", lambda: 32 << 30)
    worker = f'[worker]\nmemory_gb = {memory}\ndevice = "{device}"\nprocesses = {processes}'
    rows = {row.check: row for row in check_machine(configured(tmp_path, more=worker), running=True)}
    row = rows["model size"]
    assert row.level is level and says in row.text, row.text


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "", "cpu:x", "\0"])
def test_a_device_that_cannot_compute_is_refused(device: str) -> None:
    with pytest.raises(Fatal, match=r"worker\.device") as caught:
        probe(device)
    assert caught.value.code is Exit.CONFIG and "cpu" in (caught.value.remedy or "")
    assert probe("cpu").torch and probe("cpu").apart == 0.0


def test_a_device_that_computes_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does that rounds factors to ten bits: others could not measure what it measures."""
    assert probe("cpu:0").apart == 0.0
    genuine = device_module._layers
    rounded = lambda name: genuine(name) * (1.0 if name == "cpu" else 1.0 + 1e-3)  # noqa: E731
    monkeypatch.setattr(device_module, "_layers", rounded)
    with pytest.raises(Fatal, match="computes other numbers than the CPU") as caught:
        probe("cpu:0")
    assert caught.value.code is Exit.CONFIG and 'worker.device = "cpu"' in (caught.value.remedy or "")
    assert probe("cpu").apart == 0.0


async def test_a_start_that_would_fail_is_refused_with_every_cause(tmp_path: Path) -> None:
    await refuse_to_start(configured(tmp_path))
    (tmp_path / "data").write_text("")
    with pytest.raises(Fatal) as caught:
        await refuse_to_start(configured(tmp_path, node='roles = ["proposer"]', p2p=""))
    assert caught.value.code is Exit.NO_PEERS
    for word in ("p2p.bootstrap", "[proposer]", "is a file"):
        assert word in caught.value.message
    for word in ("allow_isolated", "node.data_dir", "drop the role"):
        assert word in (caught.value.remedy or "")


def test_a_file_that_is_no_configuration_is_one_row(tmp_path: Path) -> None:
    done = CliRunner().invoke(node, ["check", "--config", str(tmp_path / "none.toml"), "--json"])
    assert isinstance(done.exception, NotReady) and done.exception.code is Exit.CONFIG
    (row,) = done.exception.report.rows
    assert (row.check, row.level) == ("configuration", "failure") and row.remedy
    printed = json.loads(done.stdout)
    assert set(printed) == {"rows", "ready"} and printed["ready"] is False


# ------------------------------------------------------------------ the chain's clock

NOW = 1_900_000_000


def head(age: int) -> Header:
    fields = {"ref": BlockRef(7, bytes(32), NOW - age), "parent": bytes(32)}
    known = {name: fields.get(name, 0) for name in Header.__dataclass_fields__}
    return Header(**known)


@pytest.mark.parametrize(
    ("age", "pace", "check", "level"),
    [
        (3, 12.0, "head", Level.OK),
        (230, 12.0, "head", Level.OK),
        (300, 12.0, "head", Level.FAILURE),
        (50, 0.5, "head", Level.OK),
        (70, 0.5, "head", Level.FAILURE),
        (86400, 0.0, "head", Level.FAILURE),
        (-10, 12.0, "head", Level.OK),
        (-60, 12.0, "clock", Level.WARNING),
        (-3600, 12.0, "clock", Level.FAILURE),
    ],
)
def test_a_chain_that_stands_and_a_clock_that_is_wrong_are_told(
    age: int, pace: float, check: str, level: Level
) -> None:
    rows = judge_head(head(age), pace, NOW, local=False)
    assert (rows[-1].check, rows[-1].level) == (check, level)
    assert not failures(rows, final=True), "a chain may go on, and a clock be set, while the node waits"
    assert not failures(judge_head(head(age), pace, NOW, local=True)), "development chains stand on purpose"


# ------------------------------------------------------------------ commands


def test_a_folder_that_is_no_dataset_is_not_to_be_removed(tmp_path: Path) -> None:
    """The remedy of a damaged dataset is to remove the folder: not of one that holds, say, wallets."""
    with pytest.raises(Fatal, match="holds no dataset") as caught:
        open_dataset(tmp_path)
    assert caught.value.code is Exit.DATASET
    assert "remove" not in (caught.value.remedy or "")


def test_a_project_without_verifiers_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="needs verifiers") as caught:
        draft_project(
            tmp_path / "none", recipe="tworoom-tiny", name="x", verifier_set=None, verifiers=("0x01",),
            threshold=None,
        )  # fmt: skip
    assert caught.value.code is Exit.USAGE


@pytest.mark.parametrize(
    ("command", "arguments", "word"),
    [
        (model, ("export", "--out", "nowhere/model"), "no folder"),
        (round_, ("challenge", "1", "--evidence", "foo"), "foo"),
        (stake, ("deposit", "many"), "AMOUNT"),
        (verifiers, ("create", "0x12", "--threshold", "1"), "0x12"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command, arguments: tuple[str, ...], word: str
) -> None:
    configured(tmp_path)
    monkeypatch.chdir(tmp_path)
    for opened in ("open_chain", "open_signing"):
        monkeypatch.setattr(access, opened, lambda *_: pytest.fail("something was opened"))
    done = CliRunner().invoke(command, [*arguments, "--config", "node.toml"])
    assert isinstance(done.exception, Fatal), done.exception
    assert word in done.exception.message and done.exception.remedy


# ------------------------------------------------------------------ windows


def window(reveal: int, verify: int) -> Any:
    return SimpleNamespace(reveal_start=100, reveal_end=100 + reveal, verify_end=100 + reveal + verify)


@pytest.mark.parametrize(
    ("role", "named"),
    [
        (Role.SOLVER, "REVEAL of round 7 lasts 59 s"),
        (Role.COORDINATOR, "VERIFY of round 7 lasts 58 s"),
        (Role.AGGREGATOR, "VERIFY of round 7 lasts 58 s"),
    ],
)
def test_a_round_whose_window_this_node_cannot_keep_is_told_before_the_start(role: Role, named: str) -> None:
    rounds: Any = {7: window(59, 58), 8: window(60, 60)}
    (row,) = broken(judge_rounds(60.0, rounds, frozenset({role})))
    assert row.level is Level.FAILURE and row.text.startswith(named) and "may need 60 s" in row.text
    assert "takes no part in such rounds" in str(row.remedy)
    assert judge_rounds(58.0, rounds, frozenset({role})) == []
    assert judge_rounds(60.0, rounds, frozenset({Role.PROPOSER})) == []


def test_a_proposers_own_terms_leave_time_to_draw_and_unseal() -> None:
    """Three answers one after the other, and the blocks until the fixed one."""
    pace, least = Pace(block=12, request=0.1), 80.0
    needed = 3 * least + 128 * pace.block
    for gap, reveal in ((600, int(needed) - 600), (int(needed), 0)):
        assert judge_drawing(least, pace, 128, ProposerSection(gap_seconds=gap, reveal_seconds=reveal)) == []
    short = ProposerSection(gap_seconds=600, reveal_seconds=int(needed) - 601)
    (row,) = broken(judge_drawing(least, pace, 128, short))
    assert "costs the unseal bond" in row.text and "gap_seconds" in str(row.remedy)

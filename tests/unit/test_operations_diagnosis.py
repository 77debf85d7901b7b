"""What `jepanet doctor` judges, and what a support bundle must not hold."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.operations.checks.findings import Level
from jepanet.operations.diagnosis import host
from jepanet.operations.diagnosis.bundle import write_bundle
from jepanet.operations.diagnosis.endpoints import Window, judge_clock, judge_latency
from jepanet.operations.diagnosis.redaction import REMOVED, Redaction, secrets_of
from jepanet.operations.views.node import CheckReport, CheckRow
from jepanet.protocol.duties import SendReveal
from jepanet.settings.config import Config, load_config, read_tree
from jepanet.storage.journal import Journal, StoredDuty

pytestmark = pytest.mark.unit

ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


# ------------------------------------------------------------------ judging


@pytest.mark.parametrize(
    ("skews", "local", "level"),
    [((), False, Level.OK), ((0.9, -1.0), False, Level.OK), ((9.0,), False, Level.WARNING),
     ((-9.0,), False, Level.WARNING), ((200.0,), False, Level.FAILURE), ((-200.0,), False, Level.FAILURE),
     ((200.0,), True, Level.WARNING), ((9000.0, 0.1, 0.2), False, Level.OK)],
)  # fmt: skip
def test_the_clock_is_held_against_the_middle_of_the_others(
    skews: tuple[float, ...], local: bool, level: Level
) -> None:
    row = judge_clock(skews, local=local)
    assert row.level is level
    assert (row.remedy is None) == (level is Level.OK)


@pytest.mark.parametrize(
    ("least", "level"), [(10.0, Level.OK), (50.1, Level.WARNING), (100.1, Level.FAILURE)]
)
def test_an_endpoint_is_held_against_the_shortest_window(least: float, level: Level) -> None:
    row = judge_latency("latency x", "slow", least, Window("REVEAL of round 3", 100))
    assert row.level is level and "REVEAL of round 3 lasts 100 s" in row.text
    assert row.code is (Exit.CONFIG if level is Level.FAILURE else Exit.OK)
    assert judge_latency("latency x", "slow", least, None).level is Level.OK


def test_a_slow_disk_and_a_full_table_of_files_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [row.level for row in host.check_disk(tmp_path / "not" / "yet")] == [Level.OK]
    monkeypatch.setattr(host, "_sync_times", lambda _: [0.3])
    monkeypatch.setattr(os, "statvfs", lambda _: type("Found", (), {"f_favail": 10}))
    assert [row.level for row in host.check_disk(tmp_path)] == [Level.WARNING] * 2


# ------------------------------------------------------------------ the bundle


PLANTED = {
    "password": 'correct "horse" bättery',
    "environment": "an-environment-password",
    "credential": "a-systemd-credential",
    "user": "rpcuser77",
    "rpc password": "s3cr3t%21pw",
    "path": "v3keyAbCdEf0123456789",
    "query": "querykey-987654",
    "websocket": "wskey-abcdefgh",
    "token": "T0ken_" + "x" * 37,
    "salt": "5a" * 32,
    "drawn salt": "6b" * 32,
    "sealed": "7c" * 32,
    "network key": "8d" * 32,
    "ciphertext": "9e" * 32,
    "mac": "af" * 32,
    "plain key": "b1" * 32,
    "dataset": "c2" * 32,
}
"""By where it is kept. None of them may leave in a bundle, in any spelling."""


def where_the_password_is(kind: str) -> str:
    return {
        "file": 'password_file = "password"',
        "env": 'password_env = "WALLET_SECRET"',
        "credential": 'password_credential = "wallet"',
    }[kind]


def planted_node(home: Path, kind: str) -> tuple[Path, dict[str, str]]:
    """A node's folder with a secret in every place, and logs and errors that repeat all of them."""
    for name in ("wallet", "data/rpc", "data/p2p", "dataset/sealed", "credentials", "faults"):
        (home / name).mkdir(parents=True)
    (home / "password").write_text(PLANTED["password"] + "\n")
    (home / "credentials/wallet").write_text(PLANTED["credential"])
    (home / "data/rpc/read.token").write_text(PLANTED["token"] + "\n")
    (home / "data/p2p/node.key").write_bytes(bytes.fromhex(PLANTED["network key"]))
    keystore = {"address": ACCOUNT[2:].lower(), "version": 3,
                "crypto": {"ciphertext": PLANTED["ciphertext"], "mac": PLANTED["mac"]}}  # fmt: skip
    (home / "wallet/key.json").write_text(json.dumps(keystore))
    (home / "wallet/old-key.txt").write_text("0x" + PLANTED["plain key"])
    (home / "dataset/sealed/secret.json").write_text(json.dumps({"seed": PLANTED["dataset"]}))
    url = (f"https://{PLANTED['user']}:{PLANTED['rpc password']}@rpc.example.org:8545/v3/{PLANTED['path']}"
           f"?apikey={PLANTED['query']}")  # fmt: skip
    everything = f"{url} " + " ".join(f"{item} {item.upper()}" for item in PLANTED.values())
    with Journal.open(home / "data/journal.sqlite") as journal:
        journal.put_salt(1, ACCOUNT, bytes.fromhex(PLANTED["sealed"]), bytes.fromhex(PLANTED["salt"]))
        journal.draw_salt(2, ACCOUNT, bytes.fromhex(PLANTED["drawn salt"]))
        journal.record([], [StoredDuty("reveal/1", SendReveal.__name__, "{}", 1)])
        journal.postpone("reveal/1", everything)
    (home / "faults/1.txt").write_text(f"Traceback: {everything}\n{json.dumps(everything)}\nthe end")
    (home / "data/status.json").write_text(json.dumps({"problem": everything}))
    config = home / "node.toml"
    config.write_text(f"""
[node]
data_dir = "data"
roles = ["proposer"]
[wallet]
directory = "wallet"
{where_the_password_is(kind)}
[chain]
endpoints = ["{url}"]
websocket = "wss://ws.example.org/{PLANTED["websocket"]}"
deployment = "deployment.json"
[proposer]
dataset = "dataset"
""")
    return config, {
        "WALLET_SECRET": PLANTED["environment"],
        "CREDENTIALS_DIRECTORY": str(home / "credentials"),
        "JEPANET_LOG_LEVEL": "debug",
        "AWS_SECRET_ACCESS_KEY": "not-ours-either",
    }


def bundled(config: Path, environment: dict[str, str], target: Path, report: CheckReport) -> dict[str, str]:
    home = config.parent
    write_bundle(
        target, report, load_config(config, environment), tree=read_tree(config), environment=environment,
        faults=sorted((home / "faults").glob("*")),
    )  # fmt: skip
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def report_with(text: str) -> CheckReport:
    return CheckReport((CheckRow("endpoint", "failure", text, text, 12),), ready=False)


@pytest.mark.parametrize("kind", ["file", "env", "credential"])
def test_no_secret_of_any_place_is_in_a_bundle(kind: str, tmp_path: Path) -> None:
    config, environment = planted_node(tmp_path / "node", kind)
    everything = (tmp_path / "node/faults/1.txt").read_text()
    members = bundled(config, environment, tmp_path / "a.zip", report_with(everything))
    here = {"file": "password", "env": "environment", "credential": "credential"}[kind]
    elsewhere = {"password", "environment", "credential"} - {here}
    for name, text in members.items():
        lowered = text.lower()
        for place, secret in PLANTED.items():
            if place in elsewhere:  # not of this node: nothing knows that it is one
                continue
            for form in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[2:-2]):
                assert form.lower() not in lowered, f"{place} is in {name}"
        assert "not-ours-either" not in text
    assert stat.S_IMODE((tmp_path / "a.zip").stat().st_mode) == 0o600


def test_a_bundle_says_what_helps(tmp_path: Path) -> None:
    config, environment = planted_node(tmp_path / "node", "file")
    members = bundled(config, environment, tmp_path / "a.zip", report_with("no answer"))
    assert json.loads(members["checks.json"])["rows"][0]["finding"] == "no answer"
    keys = {item["key"]: item["value"] for item in json.loads(members["config.json"])}
    assert keys["chain.endpoints"] == ["https://rpc.example.org:8545"]
    assert keys["chain.websocket"] == "(hidden)"
    assert json.loads(members["environment.json"]) == ["JEPANET_LOG_LEVEL"]
    journal = json.loads(members["journal.json"])
    assert journal["rows"]["salts"] == 1 and journal["rows"]["outbox"] == 1
    assert journal["duties"][0]["duty"] == "SendReveal"
    assert "https://rpc.example.org:8545" in journal["duties"][0]["error"]
    assert members["faults/1.txt"].startswith("Traceback:") and members["faults/1.txt"].endswith("the end")
    assert REMOVED in members["faults/1.txt"]
    with pytest.raises(Fatal, match="is there already"):
        bundled(config, environment, tmp_path / "a.zip", report_with(""))


def test_what_slips_through_is_noticed_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, environment = planted_node(tmp_path / "node", "file")
    monkeypatch.setattr(Redaction, "clean", lambda self, text: text)
    with pytest.raises(Fatal, match="would hold a secret"):
        bundled(config, environment, tmp_path / "a.zip", report_with(PLANTED["salt"]))
    assert not (tmp_path / "a.zip").exists()


def test_an_address_is_no_secret_and_short_words_are_left(tmp_path: Path) -> None:
    config, environment = planted_node(tmp_path / "node", "file")
    redaction = Redaction([*secrets_of(_config(config, environment), environment), "pw", ""])
    text = f"{ACCOUNT} asked /ip4/10.0.0.1/tcp/4701 for pw"
    assert redaction.clean(text) == text


def _config(path: Path, environment: dict[str, str]) -> Config:
    return load_config(path, environment)

"""What lies in `deploy` for operators: read by the readers that will read it, and held to rules of hardening.

What needs Docker or a running systemd is not run: `hadolint` judges, and `systemd-analyze` where installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from jepanet.addresses import checksum_address
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.deploying.plan import plan
from jepanet.chain.devchain.anvil import public_test_accounts
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.errors import Exit
from jepanet.p2p.options import check_addresses, check_announced
from jepanet.settings.config import load_config
from jepanet.settings.terms import round_terms
from jepanet.types import Role
from jepanet.work.methods import METHODS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "container" / "Dockerfile"
UNITS = ("jepanet@.service", "jepanet-backup@.service")
COMPOSED = ("node.yaml", "devnet.yaml")
RESTARTED = {Exit.FAILURE, Exit.CHAIN_UNREACHABLE, Exit.NO_PEERS, Exit.UNRESOLVED, Exit.TRY_AGAIN}
"""What docs/operations.md tells service managers to start again."""
SYSTEMDS = {203, 217, 226, 243}
"""Codes of its own (systemd.exec): no program, no such user, no namespace, no credential."""
MOST_EXPOSED = 3.0


# ------------------------------------------------------------------ configurations and addresses


@pytest.mark.parametrize("role", Role)
def test_the_example_of_each_role_is_one_that_a_node_reads(role: Role) -> None:
    config = load_config(DEPLOY / "config" / f"{role}.toml", {})
    assert config.node.roles == (role,)
    assert config.node.data_dir == Path(f"/var/lib/jepanet/{role}/data")
    assert config.wallet.password_credential == "wallet", "which the unit hands in"
    check_addresses(config.p2p.listen, config.p2p.bootstrap)
    check_announced(config.p2p.announce)
    assert bool(config.p2p.bootstrap) != config.p2p.allow_isolated
    assert config.metrics.enabled and config.rpc.enabled, "figures are at the port of JSON-RPC"
    if role is Role.PROPOSER:
        round_terms(config.proposer, METHODS)


@pytest.mark.parametrize("role", Role)
def test_the_log_file_of_an_example_lies_where_the_unit_may_write(role: Role, tmp_path: Path) -> None:
    text = (DEPLOY / "config" / f"{role}.toml").read_text()
    asked = tmp_path / "node.toml"
    asked.write_text(re.sub(r"^# (file = )", r"\1", text, flags=re.MULTILINE))
    log = load_config(asked, {}).log
    assert log.file is not None and log.file.parent == Path(f"/var/lib/jepanet/{role}/data")
    assert (log.max_bytes, log.keep) == (16 << 20, 5)


def test_there_is_no_example_beside_them() -> None:
    assert {path.stem for path in (DEPLOY / "config").iterdir()} == {str(role) for role in Role}


def test_the_addresses_are_those_that_this_code_leads_to() -> None:
    tree = tomllib.loads((DEPLOY / "addresses.toml").read_text())
    owner = Wallet.from_key(public_test_accounts(1)[0].key).address
    planned = plan(DeployParameters.for_devnet(owner), owner)
    said = {name: checksum_address(tree["development"][name]) for name in ("token", "rounds", "lens")}
    assert said == {"token": planned.token, "rounds": planned.rounds, "lens": planned.lens}
    for network in tree.values():
        assert set(network) == {"chain_id", "token", "rounds", "lens"}


# ------------------------------------------------------------------ units of systemd


def directives(unit: str) -> list[tuple[str, str]]:
    lines = (DEPLOY / "systemd" / unit).read_text().splitlines()
    return [
        (name, value)
        for name, found, value in (line.partition("=") for line in lines)
        if found and not name.startswith("#")
    ]


def test_only_what_may_heal_is_started_again() -> None:
    found = dict(directives("jepanet@.service"))
    prevented = {int(number) for number in found["RestartPreventExitStatus"].split()}
    ours = {int(code) for code in Exit} - {int(code) for code in RESTARTED} - {0}
    assert prevented == ours | SYSTEMDS
    assert found["StartLimitIntervalSec"] == "0", (
        "an endpoint may be away for longer than any number of starts"
    )
    assert found["Restart"] == "on-failure"


def test_the_unit_and_the_examples_agree_on_places() -> None:
    found = dict(directives("jepanet@.service"))
    assert found["StateDirectory"] == "jepanet/%i"
    assert found["LoadCredential"].startswith("wallet:/etc/jepanet/%i/")
    assert found["ExecStart"].endswith("node run --config /etc/jepanet/%i/node.toml")
    assert found["User"] == "jepanet"
    assert "u jepanet " in (DEPLOY / "systemd" / "jepanet.sysusers").read_text()


@pytest.mark.subprocess
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_little_that_is_exposed(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian's systemd)")
    file = tmp_path / unit.replace("@", "@example")
    shutil.copyfile(DEPLOY / "systemd" / unit, file)
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


# ------------------------------------------------------------------ the image


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile with its words on one line, comments left out."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [
        (name.upper(), rest.strip())
        for name, _, rest in (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    ]


def faults_of(text: str) -> list[str]:
    """What of the image's rules a Dockerfile breaks."""
    found, stages, user = [], set(), ""
    arguments = dict(rest.split("=", 1) for name, rest in instructions(text) if name == "ARG" and "=" in rest)
    for name, rest in instructions(text):
        if name == "FROM":
            image, _, stage = rest.partition(" AS ")
            image = re.sub(r"\$\{(\w+)\}", lambda item: arguments[item[1]], image)
            if image not in stages and not re.fullmatch(
                r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:\w{64})?", image
            ):
                found.append(f"{image} is not pinned")
            stages.add(stage.strip())
        elif name == "USER":
            user = rest
        elif name == "ADD":
            found.append("ADD fetches and unpacks: use COPY")
        elif name in ("ENV", "ARG") and re.search(r"(?i)(password|secret|token|key)\w*=\S", rest):
            found.append(f"{name} bakes a secret in")
        elif name == "RUN" and "pip install" in rest and "requirements.lock" not in rest:
            found.append("pip is not held to requirements.lock")
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        found.append(f"it runs as {user or 'root'}")
    return found


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    text = DOCKERFILE.read_text()
    assert faults_of(text) == []
    names = [name for name, _ in instructions(text)]
    assert {"HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "VOLUME"} <= set(names)
    assert instructions(text)[-1] == ("CMD", '["node", "run"]'), "the last stage is the node"


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("python:3.11.14-slim-bookworm", "python:latest"),
        ("USER 10001:10001", "USER root"),
        ("COPY abi abi", "ADD https://example.org/abi.tar /src"),
        ("pip install --constraint requirements.lock .", "pip install ."),
        ("XDG_STATE_HOME=/data/state", "WALLET_PASSWORD=hunter2"),
    ],
)
def test_a_planted_fault_of_the_image_is_seen(line: str, other: str) -> None:
    text = DOCKERFILE.read_text()
    assert line in text
    assert len(set(faults_of(text.replace(line, other)))) == 1


def test_only_named_files_get_into_the_image() -> None:
    lines = (DEPLOY / "container" / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for path in (rule[1:] for rule in rules if rule.startswith("!")):
        assert (ROOT / path).exists(), path
    copied = {
        word
        for name, rest in instructions(DOCKERFILE.read_text())
        if name == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    }
    assert {f"!{path}" for path in copied} <= set(rules)


@pytest.mark.subprocess
def test_hadolint_finds_nothing() -> None:
    """requirements.lock has the wheel that holds the program. A planted fault shows that it does look."""
    hadolint = Path(sys.executable).with_name("hadolint")

    def judged(text: str) -> subprocess.CompletedProcess[str]:
        command = [hadolint, "--no-color", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)

    text = DOCKERFILE.read_text()
    clean, planted = judged(text), judged(text.replace("WORKDIR /src", "RUN cd /src", 1))
    assert (clean.returncode, clean.stdout) == (0, "")
    assert planted.returncode == 1 and "DL3003" in planted.stdout


# ------------------------------------------------------------------ compose


def composed(name: str) -> dict[str, Any]:
    tree = yaml.safe_load((DEPLOY / "container" / name).read_text())
    assert isinstance(tree, dict)
    return tree


@pytest.mark.parametrize("name", (*COMPOSED, "node-cuda.yaml"))
def test_compose_files_fit_the_schema(name: str) -> None:
    schema = json.loads((ROOT / "tests" / "compose" / "compose-spec.json").read_text())
    judge = jsonschema.Draft201909Validator(schema)
    judge.validate(composed(name))
    assert not judge.is_valid({**composed(name), "servces": {}})


@pytest.mark.parametrize("name", COMPOSED)
def test_a_service_has_no_privilege_and_writes_into_its_volume_alone(name: str) -> None:
    for service in composed(name)["services"].values():
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "network_mode", "pid", "ipc", "devices", "cap_add"} & set(service)
        assert ":" in service["image"] and not service["image"].endswith(":latest")
        assert "environment" not in service, "secrets come as files"
        for volume in service["volumes"]:
            assert volume.startswith("data:") or volume.endswith(":ro"), volume
        assert service["build"]["target"] in DOCKERFILE.read_text()
        built = (
            DEPLOY / "container" / service["build"]["context"] / service["build"]["dockerfile"]
        ).resolve()
        assert built == DOCKERFILE
        assert service["logging"]["options"]["max-size"], "a year of log lines has an end"

"""What commands of the documents need, by the names in their declarations: beside one quickstart network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.request import Request, urlopen

from documented_play import PATIENCE, Stage, end, play
from warm_processes import DOOR

from documented_commands import ROOT, Block
from jepanet.chain.devchain.anvil import free_port
from own_pictures import write_folder

ACCOUNTS = {
    "0xAbc…": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0xDef…": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x123…": "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "0x456…": "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
}
"""Public test accounts of anvil."""


@dataclass
class Ground:
    """A quickstart network whose nodes run, and room beside it."""

    network: Path
    """The folder of `jepanet quickstart`."""
    room: Path
    kept: dict[str, Stage] = field(default_factory=dict)

    def stage(self, needs: str, page: str) -> Stage:
        """The stage of a set-up for a page: its blocks are played one after the other in it."""
        name = re.sub(r"\W+", "-", f"{page}-{needs}")
        if name not in self.kept:
            self.kept[name] = SETUPS[needs](self, self.room / name)
        return self.kept[name]

    @cached_property
    def rpc(self) -> str:
        """Of the network's chain."""
        found = re.search(r'endpoints = \["([^"]+)"', self.toml("solver-1"))
        assert found is not None
        return found[1]

    def head(self) -> int:
        """The chain's newest block."""
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
        request = Request(self.rpc, asked, {"Content-Type": "application/json"})
        with urlopen(request, timeout=PATIENCE) as answer:
            return int(json.load(answer)["result"], 16)

    def toml(self, node: str) -> str:
        """The configuration of a node of the network."""
        return (self.network / node / "node.toml").read_text()

    def jepanet(self, *words: object, **variables: str) -> str:
        """What a call of `jepanet` prints, which has to end with 0."""
        python = os.environ.get(DOOR, sys.executable)
        done = subprocess.run(
            [python, "-P", "-m", "jepanet", *map(str, words)], cwd=self.room, check=False,
            env={**os.environ, **variables}, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def fund(self, *accounts: str) -> None:
        """Gives accounts ether and tokens."""
        self.jepanet("devnet", "fund", *accounts, "--dir", self.network / "devnet")

    @cached_property
    def peer(self) -> str:
        """The address that the others of the network bootstrap from."""
        found = re.search(r'bootstrap = \["([^"]+)"', self.toml("solver-1"))
        assert found is not None
        return found[1]


def address_in(folder: Path) -> str:
    """Of the only keystore below a folder."""
    (keystore,) = [path for path in folder.rglob("*.json") if path.parent.name == "wallet"]
    return "0x" + str(json.loads(keystore.read_text())["address"]).removeprefix("0x")


# ------------------------------------------------------------------ the set-ups


def nothing(ground: Ground, room: Path) -> Stage:
    """An empty folder."""
    return Stage(_made(room / "here"), room / "home")


def a_running_solver(ground: Ground, room: Path) -> Stage:
    """The folder of a solver that runs, which has been paid for round 1."""
    folder = ground.network / "solver-1"
    port = re.search(r"^port = (\d+)", ground.toml("solver-1"), re.MULTILINE)
    assert port is not None
    changed = {
        "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc": address_in(folder),
        "4780": port[1],
        "18000": str(ground.head()),
        "MULTIADDR": ground.jepanet("node", "address", "--config", ground.network / "proposer").split()[0],
    }
    return Stage(folder, room / "home", changed)


def a_node_of_ones_own(ground: Ground, room: Path, role: str = "solver") -> Stage:
    """The folder of a funded node that does not run, with stake, its configuration under several names."""
    ground.jepanet(
        "init", role, "--out", room / "own", "--rpc", ground.rpc, "--deployment",
        ground.network / "solver-1/deployment.json", "--bootstrap", ground.peer, "--new-password", "--light",
        "--listen", f"/ip4/127.0.0.1/tcp/{free_port()}",
    )  # fmt: skip
    folder = room / "own"
    for name in ("solver.toml", "proposer.toml"):
        shutil.copy(folder / "node.toml", folder / name)
    ground.fund(address_in(folder))
    if role == "solver":
        ground.jepanet("stake", "deposit", 200, "--config", folder / "node.toml")
    return Stage(folder, room / "home", dict(ACCOUNTS))


def a_node_that_ran(ground: Ground, room: Path) -> Stage:
    """The same, with a journal."""
    stage = a_node_of_ones_own(ground, room)
    play(stage, Block("", 1, "", "bash", "jepanet node run --config node.toml\n"))
    end(stage)
    return stage


def a_proposer(ground: Ground, room: Path) -> Stage:
    """A node of one's own that proposes, with the dataset that `quickstart` built."""
    stage = a_node_of_ones_own(ground, room, "proposer")
    _dataset(ground, stage.folder)
    stage.changed["--seed 7"] = "--seed 0"

    def numbered(stage: Stage, said: str) -> None:
        made = re.search(r"\bset\b\D*(\d+)", said)
        assert made is not None, said
        stage.changed |= {f"{word} 4": f"{word} {made[1]}" for word in ("show", "admit", "--set")}

    stage.after = (("jepanet verifiers create", numbered),)
    return stage


def a_dataset(ground: Ground, room: Path) -> Stage:
    """A folder with the dataset that `quickstart` built, which the same command finds complete."""
    stage = nothing(ground, room)
    _dataset(ground, stage.folder)
    stage.changed = {"--seed 7": "--seed 0"}
    return stage


def data(ground: Ground, room: Path) -> Stage:
    """The same, as `data`."""
    stage = nothing(ground, room)
    _dataset(ground, stage.folder).rename(stage.folder / "data")
    return stage


def pictures_and_texts(ground: Ground, room: Path) -> Stage:
    """A proposer with a folder of pictures, and a file that says what is on each."""
    stage = a_node_of_ones_own(ground, room, "proposer")
    photos = write_folder(stage.folder / "photos", 1400)
    lines = [
        json.dumps({"image": str(path.relative_to(stage.folder)), "caption": f"{path.parent.name} {number}"})
        for number, path in enumerate(sorted(photos.rglob("*.png")))
    ]
    (stage.folder / "photos.jsonl").write_text("\n".join(lines) + "\n")
    return stage


def wallets(ground: Ground, room: Path) -> Stage:
    """A node's folder with another keystore, and somebody at the terminal who knows the passwords."""
    stage = a_node_of_ones_own(ground, room)
    other = room / "other"
    other.mkdir(mode=0o700)
    (other / "password").write_text("a long password\n")
    (other / "password").chmod(0o600)
    ground.jepanet("wallet", "new", "--dir", other, "--password-file", other / "password", "--light")
    (keystore,) = other.glob("*.json")
    shutil.copy(keystore, stage.folder / "keystore.json")
    stage.changed["0xAbc…"] = "0x" + str(json.loads(keystore.read_text())["address"]).removeprefix("0x")
    (stage.folder / "keystore.json").chmod(0o600)
    stage.answers = (("assword", "a long password"), ("Again", "a long password"))
    return stage


def a_network_to_join(ground: Ground, room: Path) -> Stage:
    """A folder with the network's deployment.json, and somebody who answers what `init` asks."""
    stage = nothing(ground, room)
    shutil.copy(ground.network / "solver-1/deployment.json", stage.folder)
    stage.changed = {"http://127.0.0.1:8545": ground.rpc}
    stage.answers = (
        ("Endpoint of the chain", ground.rpc),
        ("deployment.json", "deployment.json"),
        ("Address of a node", ground.peer),
        ("assword", "a long password"),
        ("Again", "a long password"),
    )
    return stage


def a_new_solver(ground: Ground, room: Path) -> Stage:
    """The same; whoever runs the network sends the new wallet ether and tokens."""
    stage = a_network_to_join(ground, room)
    stage.after = (("jepanet init", lambda stage, _: _welcome(ground, stage)),)
    return stage


def a_new_coordinator(ground: Ground, room: Path) -> Stage:
    """The same, and a set of verifiers that the new wallet is to join."""
    stage = a_network_to_join(ground, room)

    def named(stage: Stage, _: str) -> None:
        _welcome(ground, stage)
        (config,) = stage.folder.glob("*/node.toml")
        account = address_in(stage.folder)
        words = ("verifiers", "create", account, "--threshold", 1, "--config", config, "--json")
        made = json.loads(ground.jepanet(*words, **stage.variables))
        stage.changed["join 4"] = f"join {made['set']}"

    stage.after = (("jepanet init", named),)
    return stage


def a_chain_of_its_own(ground: Ground, room: Path) -> Stage:
    """An empty folder, and another port than the usual one, which the network's chain may have."""
    stage = nothing(ground, room)
    stage.changed = {**ACCOUNTS, "devnet up": f"devnet up --port {free_port()}"}
    return stage


def the_contracts(ground: Ground, room: Path) -> Stage:
    """A folder with the checkout's `deploy`, arguments, and the deployment file of the network."""
    stage = nothing(ground, room)
    (stage.folder / "deploy").symlink_to(ROOT / "deploy")
    _arguments(ground, stage.folder / "arguments.toml")
    _made(stage.folder / "deployments")
    shutil.copy(ground.network / "solver-1/deployment.json", stage.folder / "deployments/1.json")
    stage.changed = {"URL": ground.rpc}
    return stage


SETUPS: Mapping[str, Callable[[Ground, Path], Stage]] = {
    "nothing": nothing,
    "a running solver": a_running_solver,
    "a node of one's own": a_node_of_ones_own,
    "a node that ran": a_node_that_ran,
    "a proposer": a_proposer,
    "another proposer": a_proposer,  # whose dataset serves no project yet
    "a dataset": a_dataset,
    "data": data,
    "pictures and texts": pictures_and_texts,
    "wallets": wallets,
    "a network to join": a_network_to_join,
    "a new solver": a_new_solver,
    "a new coordinator": a_new_coordinator,
    "a chain of its own": a_chain_of_its_own,
    "the contracts": the_contracts,
}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _dataset(ground: Ground, folder: Path) -> Path:
    """A copy that shares the files' bytes with the network's."""
    return Path(shutil.copytree(ground.network / "dataset", folder / "dataset", copy_function=os.link))


def _arguments(ground: Ground, file: Path) -> None:
    """The file of arguments that the network's contracts were made with."""
    verify = [
        sys.executable,
        ROOT / "deploy/contracts.py",
        "verify",
        ground.network / "solver-1/deployment.json",
    ]
    told = subprocess.run(
        [*verify, "--rpc", ground.rpc], check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    known = dict(re.findall(r"^  (\w+) +(\S+)(?: \w+)?$", told.stdout, re.MULTILINE))
    file.write_text(
        re.sub(
            r'^(\w+) = ("?)[^"\s]+("?)',
            lambda line: f"{line[1]} = {line[2]}{known.get(line[1], line[0].split()[-1])}{line[3]}",
            (ROOT / "deploy/example.toml").read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
    )


def _welcome(ground: Ground, stage: Stage) -> None:
    """Sends the wallet that `init` made ether and tokens, and keeps its password in a file from now on."""
    ground.fund(address_in(stage.folder))
    password = stage.home / "password"
    password.write_text("a long password\n")
    password.chmod(0o600)
    stage.variables["JEPANET_WALLET_PASSWORD_FILE"] = str(password)

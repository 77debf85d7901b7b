"""What a node's configuration may hold: TOML and environment become frozen dataclasses, read once at start.

Nothing below this room sees configuration. Every key may be overridden by an environment variable
`JEPANET_<SECTION>_<KEY>` (lists comma separated), which is how container images are configured.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, get_type_hints
from urllib.parse import urlsplit

from jepanet.protocol.documents.spec import EXACT, TOLERANT
from jepanet.records.marks import Hidden, OneOf, Range
from jepanet.settings.config_file import config_file
from jepanet.settings.metrics_section import MetricsSection, check_metrics
from jepanet.settings.rpc_section import RpcSection, check_rpc
from jepanet.settings.section_reader import bad, section_from
from jepanet.settings.variables import check_variables
from jepanet.texts import load_toml, read_text
from jepanet.types import Address, Role

_FROM_0 = Range(0)
_MORE_THAN_0 = Range(0, above=True)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class NodeSection:
    data_dir: Path
    roles: tuple[Role, ...]
    name: str = "node"
    storage_gb: Annotated[
        float, _MORE_THAN_0, "disk budget of the blob store; pinned blobs are never collected"
    ] = 20.0


@dataclass(frozen=True, slots=True)
class WalletSection:
    directory: Annotated[Path, "folder of keystore files, as `jepanet wallet new` writes them"]
    address: Annotated[Address | None, "which of them; needed only if the folder holds several"] = None
    password_file: Annotated[
        Path | None,
        "a file only its owner may read, or a container's secret; with none of these three it is asked for",
    ] = None
    password_env: Annotated[
        str | None, Hidden(), "name of an environment variable that holds the password"
    ] = None
    password_credential: Annotated[
        str | None, Hidden(), "name of a systemd credential (`LoadCredential=`) that holds the password"
    ] = None


@dataclass(frozen=True, slots=True)
class ChainSection:
    endpoints: tuple[str, ...]
    deployment: Annotated[Path, "JSON with chain id and contract addresses, from the network you join"]
    websocket: Annotated[str | None, Hidden(), "endpoint whose new-block notices wake the follower early"] = (
        None
    )
    confirmations: Annotated[
        int | None,
        _FROM_0,
        "blocks on top of an event before the node acts on it; default: the deployment's own figure",
    ] = None
    poll_seconds: Annotated[
        float,
        _MORE_THAN_0,
        "shortest pause between two looks at the chain",
    ] = 1.0
    log_queries_above: Annotated[
        int,
        _FROM_0,
        "longer stretches of final blocks are read by log queries and held against the contracts' counters; "
        "shorter ones block by block, each proven",
    ] = 1024
    timeout_seconds: Annotated[float, _MORE_THAN_0] = 10.0
    max_fee_gwei: Annotated[
        float, _MORE_THAN_0, "never pay more for a unit of gas, base fee and tip together"
    ] = 200.0
    min_tip_gwei: Annotated[float, _FROM_0, "offer at least this tip, whatever the endpoints advise"] = 0.0
    max_tip_gwei: Annotated[
        float | None,
        _MORE_THAN_0,
        "never offer a higher tip; default: 50, or `max_fee_gwei` where that is less",
    ] = None
    stuck_seconds: Annotated[
        float, _MORE_THAN_0, "age at which an unmined transaction is replaced with higher fees"
    ] = 45.0


@dataclass(frozen=True, slots=True)
class P2PSection:
    listen: str = "/ip4/0.0.0.0/tcp/4701"
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    allow_isolated: Annotated[
        bool,
        "start although no bootstrap peer is configured: right for the first node of a network only",
    ] = False


@dataclass(frozen=True, slots=True)
class SolverSection:
    max_bond: Annotated[
        str, "tokens this node puts at stake in one round at most; rounds that ask for more are left alone"
    ] = "100"


@dataclass(frozen=True, slots=True)
class ProposerSection:
    rounds: Annotated[
        int, _FROM_0, "rounds each followed project of this wallet shall reach; 0 opens none"
    ] = 0
    dataset: Annotated[
        Path | None,
        "directory of `jepanet dataset build`: public shards to serve, sealed shards to unseal",
    ] = None
    budget: Annotated[str, "reward budget of a round, in tokens"] = "100"
    fee: Annotated[str, "tokens"] = "2"
    bond: Annotated[
        str,
        '"auto": 10 tokens, and in audited rounds as many as make it not pay to cheat, if that is more: what '
        "one delta can earn, times (1 - p) / p where a solver is audited with probability p",
    ] = "auto"
    pay_cap: Annotated[
        str, "tokens that one delta is paid at most, so that less bond deters; empty: the budget"
    ] = ""
    unseal_bond: Annotated[str, "tokens"] = "20"
    price: Annotated[
        str,
        "tokens per micro-nat of measured gain; where gains exceed the budget it is shared in proportion",
    ] = "0.0005"
    shrink_milli: Annotated[
        int, _FROM_0, "thousandths of a standard error subtracted from each gain before it is paid"
    ] = 1000
    inner_steps: Annotated[
        int, _FROM_0, "optimiser steps a solver takes in a round; 0: as many as the recipe says"
    ] = 0
    codec: Annotated[
        str, "how deltas travel: fp32, bf16, int8, int6, topk10, topk3, topk1, rank50, rank100 or rank200"
    ] = "int8"
    feedback_milli: Annotated[
        int,
        Range(0, 1000),
        "thousandths of what a lossy codec left out of a delta that its solver adds to the next",
    ] = 1000
    merge_rule: Annotated[str, "mean, median, trimmed, krum, multi-krum, geometric-median or ties"] = "mean"
    max_delta_mb: Annotated[int, _MORE_THAN_0] = 64
    outer_lr_milli: Annotated[int, _FROM_0] = 1000
    outer_momentum_milli: Annotated[int, _FROM_0] = 600
    drop_sigmas_milli: Annotated[
        int,
        Range(0, 100_000),
        "a delta by which the merge is worse, by more than so many thousandths of a standard error, is left "
        "out, and so is the worst while the merge does not pass; 0: such a merge is withheld",
    ] = 1000
    to_reference_milli: Annotated[
        int,
        Range(0, 1_000_000),
        "a delta counts as no longer than so many thousandths of what was usual in the last merged round, "
        "and none is excluded for the length of others in its own; 0: its own round's median decides",
    ] = 1000
    pay_as_merged: Annotated[
        bool,
        "pay a delta for its gain as one of those that are merged, rather than of all that were revealed, "
        "so that junk dilutes nobody's pay",
    ] = True
    pay_to_median_milli: Annotated[
        int,
        Range(0, 1_000_000),
        "thousandths of the round's median pay that one delta is paid at most; 0: no such limit",
    ] = 1500
    usual_follows: Annotated[
        bool,
        "with pay_to_median_milli: what is usual follows from one merged round to the next, from a half to "
        "five quarters of it, so that who stands alone in a late round is neither its own median nor held to "
        "next to nothing; false: each round's own deltas say",
    ] = False
    variance_price_milli: Annotated[
        int,
        Range(0, 100_000),
        "thousandths of a nat by which a gain counts less for each nat (of the logarithm) of latent variance "
        "that its model lacks of the base's; of recipes with a grounded score alone",
    ] = 100
    evaluation_episodes: Annotated[
        int,
        Range(0, 100_000),
        "episodes of the drawn sealed shard, chosen by the round's beacon, over which a round is measured; "
        "0: all of them",
    ] = 0
    evaluation_sigmas_milli: Annotated[
        int,
        Range(0, 100_000),
        "with evaluation_episodes: all are measured where half of the deltas of the last merged round or "
        "more gained or harmed by less than so many thousandths of a standard error, or a round since was "
        "withheld; 0: never",
    ] = 2000
    update_codec: Annotated[
        str,
        "codec of the update from a round's base to the next model, so that nobody fetches whole models; "
        "empty: the exact step, and nodes derive models from all deltas",
    ] = "int8"
    update_carry_milli: Annotated[
        int, Range(0, 1000), "thousandths of what that codec left out that go into the next update"
    ] = 1000
    keep_deltas: Annotated[
        bool,
        "keep every delta for as long as the project lives, so that its scores can be measured again; else "
        "only what models are derived from",
    ] = False
    committed_scores: Annotated[
        bool,
        "coordinators commit to their scores before any are opened, so that none is paid for another's; "
        "false: each opens its own as soon as it has measured",
    ] = True
    audit_segments: Annotated[
        int,
        Range(0, 1024),
        "parts of a solver's training that anybody can repeat by themselves (`jepanet audit`): solvers keep "
        "as many states, of three times the model's size each; 0: none",
    ] = 0
    audit_probability_milli: Annotated[
        int,
        Range(0, 1000),
        "with audit_segments: thousandths of a chance that the verifiers repeat parts of a solver's training "
        "before it is paid; what does not come out as committed to, or is not opened, costs the whole bond",
    ] = 250
    audit_opened: Annotated[
        int,
        Range(0, 1022),
        "parts of such a training that are repeated beside the first and the last",
    ] = 1
    audit_build: Annotated[
        str,
        'what solvers and verifiers of such rounds compute by, as "jepanet doctor" writes it on a machine: '
        '"torch=2.13.0+cpu, numpy=2.3.1, machine=x86_64 GenuineIntel 6 85, cpu=AVX512"; "here": as this one',
    ] = "here"
    audit_mode: Annotated[
        str,
        OneOf((EXACT, TOLERANT)),
        "how what an audit leads to is compared: exact, byte for byte on the solver's build alone; tolerant, "
        "on any build, to within a distance that was measured for small recipes on CPUs",
    ] = EXACT
    commit_seconds: Annotated[int, _MORE_THAN_0] = 600
    gap_seconds: Annotated[int, _FROM_0] = 60
    reveal_seconds: Annotated[int, _MORE_THAN_0] = 600
    verify_seconds: Annotated[int, _MORE_THAN_0] = 900
    challenge_seconds: Annotated[int, _FROM_0] = 3600
    max_solvers: Annotated[int, _FROM_0, "0: as many as a score sheet holds"] = 0
    aggregators: Annotated[
        tuple[Address, ...],
        "addresses that may propose score sheets beside the verifiers, most trusted first",
    ] = ()
    allow_list: Annotated[
        Path | None,
        "file of the addresses that may commit, one a line, # begins a comment; without it, everybody may",
    ] = None


@dataclass(frozen=True, slots=True)
class ProjectsSection:
    follow: Annotated[tuple[int, ...], "project ids to work for; empty means every project on the chain"] = ()


@dataclass(frozen=True, slots=True)
class WorkerSection:
    threads: Annotated[int, _MORE_THAN_0] = 1
    device: Annotated[
        str,
        'where this node trains and measures: "cpu", "cuda:0"; of several processes "cpu", or "cuda" for a '
        "GPU each",
    ] = "cpu"
    memory_gb: Annotated[
        float,
        Range(0.0, 1e6),
        "GiB that a job may take where it computes, of the GPU's if `device` is one: rounds of larger "
        "recipes are left alone; 0: all that is there",
    ] = 0.0
    round_tflop: Annotated[
        float,
        Range(0.0, 1e12),
        "10^12 operations that a round's training, or its measuring, may take here: rounds of larger recipes "
        "are left alone; 0: 60 on a CPU (50 minutes of one core), 300,000 on a GPU (about as long)",
    ] = 0.0
    processes: Annotated[
        int, Range(1, 1024), "that train one delta together on this machine, with one thread each"
    ] = 1
    parallel: Annotated[
        str,
        OneOf(("ddp", "fsdp2")),
        "how several processes hold the model: whole on each, or a part of its weights and moments on each",
    ] = "ddp"
    backbones: Annotated[
        Path | None,
        "folder with backbones that recipes train adapters beside; those that it lacks are asked for by CID",
    ] = None
    job_timeout_seconds: Annotated[float, _MORE_THAN_0] = 3600.0
    checkpoint_gb: Annotated[
        float,
        Range(0.0, 1e6),
        "room for the checkpoints of one training, which a restarted node takes up; 0: it begins anew",
    ] = 2.0


@dataclass(frozen=True, slots=True)
class LogSection:
    level: Annotated[str, OneOf(("debug", "info", "warning", "error"))] = "info"
    json: bool = False
    file: Annotated[
        Path | None, "a file for the lines too, as JSON whatever `json` says; mode 0600, a node's own"
    ] = None
    max_bytes: Annotated[
        int, Range(1 << 16, 1 << 40), "of that file before it is put aside as FILE.1, and so on"
    ] = 16 << 20
    keep: Annotated[int, Range(0, 1000), "files put aside that stay"] = 5


@dataclass(frozen=True, slots=True)
class Config:
    node: NodeSection
    wallet: WalletSection
    chain: ChainSection
    p2p: P2PSection = field(default_factory=P2PSection)
    solver: SolverSection = field(default_factory=SolverSection)
    proposer: ProposerSection = field(default_factory=ProposerSection)
    projects: ProjectsSection = field(default_factory=ProjectsSection)
    worker: WorkerSection = field(default_factory=WorkerSection)
    log: LogSection = field(default_factory=LogSection)
    rpc: RpcSection = field(default_factory=RpcSection)
    metrics: MetricsSection = field(default_factory=MetricsSection)


@dataclass(frozen=True, slots=True)
class Observer:
    """What looking takes: a chain, peers to ask, a worker to recompute with. No wallet, roles or folder."""

    chain: ChainSection
    p2p: P2PSection
    worker: WorkerSection


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Reads a node's TOML file, or the node.toml of a folder. Relative paths are relative to the file's.

    Raises:
        Fatal: missing or unreadable file, bad TOML, unknown or missing key, wrong type or value; the message
            names the key and what it takes (exit code `CONFIG`).
    """
    path = config_file(path)
    return checked_config(read_tree(path), base=path.parent.resolve(), environment=environment)


def checked_config(
    tree: Mapping[str, object], *, base: Path, environment: Mapping[str, str] | None = None
) -> Config:
    """A configuration that a node can start with, from a parsed tree. Raises: Fatal as `load_config`."""
    config = config_from(tree, base=base, environment=environment)
    _check(config)
    return config


def read_tree(path: Path) -> dict[str, object]:
    """The tables of a configuration file, all of them known by name. Raises: Fatal (exit code `CONFIG`)."""
    what = "configuration file"
    tree = load_toml(read_text(path, what, absent="see docs/start/configuration.md"), what, path)
    _known_sections(tree)
    return tree


def _known_sections(tree: Mapping[str, object]) -> None:
    sections = get_type_hints(Config)
    unknown = set(tree) - set(sections)
    if unknown:
        raise bad(f"unknown section [{sorted(unknown)[0]}]", f"known sections: {', '.join(sections)}")


def config_from(
    tree: Mapping[str, object], *, base: Path, environment: Mapping[str, str] | None = None
) -> Config:
    """A configuration from a parsed TOML tree and environment overrides."""
    environment = os.environ if environment is None else environment
    _known_sections(tree)
    check_variables(get_type_hints(Config), tree, environment)
    return Config(
        **{
            name: section_from(name, kind, tree.get(name, {}), base, environment)
            for name, kind in get_type_hints(Config).items()
        }
    )


def _check(config: Config) -> None:
    if not config.node.roles:
        raise bad("node.roles is empty", f"name at least one of {', '.join(Role)}")
    check_observer(config)
    check_rpc(config.rpc)
    check_metrics(config.metrics, config.rpc)
    ways = [
        f"wallet.{name}"
        for name in ("password_file", "password_env", "password_credential")
        if getattr(config.wallet, name) is not None
    ]
    if len(ways) > 1:
        raise bad(f"{' and '.join(ways)} are set, and one password is needed", "keep one of them")
    if config.wallet.password_env is not None and not _VARIABLE.fullmatch(config.wallet.password_env):
        raise bad(
            "wallet.password_env is not the name of an environment variable",
            "write the name of the variable there, never the password itself",
        )
    if "/" in (config.wallet.password_credential or ""):
        raise bad("wallet.password_credential is a name, not a path", "write the name LoadCredential= gives")
    both = {Role.SOLVER, Role.COORDINATOR}
    if both <= set(config.node.roles):
        raise bad(
            "one wallet cannot be solver and coordinator of the same rounds",
            "run two nodes with two wallets, or drop one of the roles",
        )
    if Role.PROPOSER in config.node.roles and config.proposer.rounds and config.proposer.dataset is None:
        raise bad("a proposer that opens rounds needs proposer.dataset", "name the built dataset's folder")


def check_observer(config: Config | Observer) -> None:
    """What who only reads the chain needs too: endpoints and tips. Raises: Fatal (`CONFIG`)."""
    if not config.chain.endpoints:
        raise bad("chain.endpoints is empty", 'for example endpoints = ["http://127.0.0.1:8545"]')
    for endpoint in config.chain.endpoints:
        if not endpoint.startswith(("http://", "https://")):
            raise bad(f"chain.endpoints: {endpoint!r} is not an http(s) URL", "write http://… or https://…")
    # Not with their text: a URL may hold an API key.
    hint = config.chain.websocket
    if hint is not None and not hint.startswith(("ws://", "wss://")):
        raise bad("chain.websocket is not a ws(s) URL", "write ws://… or wss://…, or leave it out")
    if hint is not None and not _whole(hint):
        raise bad("chain.websocket names no host, or no port there could be", "correct the URL")
    if not all(map(_whole, config.chain.endpoints)):
        raise bad("one of chain.endpoints names no host, or no port there could be", "correct the URL")
    _check_tips(config.chain)


def _check_tips(chain: ChainSection) -> None:
    if chain.max_tip_gwei is not None and chain.max_tip_gwei > chain.max_fee_gwei:
        raise bad(
            f"chain.max_tip_gwei is {chain.max_tip_gwei:g}, above chain.max_fee_gwei, {chain.max_fee_gwei:g}",
            "the fee covers base fee and tip: lower the one or raise the other",
        )
    top = chain.max_fee_gwei if chain.max_tip_gwei is None else chain.max_tip_gwei
    if chain.min_tip_gwei > top:
        name = "max_fee_gwei" if chain.max_tip_gwei is None else "max_tip_gwei"
        raise bad(
            f"chain.min_tip_gwei is {chain.min_tip_gwei:g}, above chain.{name}, {top:g}",
            "lower the one or raise the other",
        )


def _whole(url: str) -> bool:
    """Whether a URL has a host, and a port that can be connected to."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, url))
    except ValueError:
        return False

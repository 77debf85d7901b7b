"""Three rounds of two made-up projects, played by the real code; `tests/recordings/` holds what came out.

    python tests/recorded_round.py --write      record anew (only where a change of bytes is meant)

`play` tells the story from start to end and names every outcome to a `Ledger`, in one of three ways: `exact`
(the same bits on every processor), `trained` (bytes that torch's sums had a hand in) and `measured` (numbers
they had a hand in). A ledger gives back what the story goes on from: one that records gives back what it was
told, one that compares (`unit/test_recorded_round.py`) what was recorded. So every step is held against the
recording from recorded inputs, wherever it runs.

What the code under test is called by stands under "the code under test" and nowhere else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

if __name__ == "__main__":  # what tests/conftest.py does for a test
    for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[_name] = "1"

import numpy as np
from eth_account import Account

from jepanet.chain.keys.wallet import Wallet
from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import BY_ARRAY
from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import DeltaHeader, decode_delta, encode_delta, schema_of
from jepanet.federation.deltas.feedback import with_feedback
from jepanet.federation.judging.judge import merge
from jepanet.federation.merging.rules import RULES
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe_reader import read_recipe
from jepanet.protocol import journal_codec as journal
from jepanet.protocol.assignment import training_seed, training_shard
from jepanet.protocol.commitment import commitment
from jepanet.protocol.documents.scores import ScoreReport, SignedScore, encode_report, score_message
from jepanet.protocol.documents.spec import decode_spec, encode_spec
from jepanet.protocol.documents.typed_data import result_data
from jepanet.protocol.duties import duty_key
from jepanet.protocol.settling.sheet import derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts
from jepanet.protocol.state import Identity
from jepanet.protocol.transition import genesis, transition
from jepanet.records.codec import JOURNAL, Codec
from jepanet.telemetry import Secret
from jepanet.tensors import Arrays, canonical_json, decode_tensors, encode_tensors
from jepanet.types import Address, Digest, ProjectId, Role, RoundId, Verdict
from jepanet.work.jobs import run
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, TrainDelta

FOLDER = Path(__file__).resolve().parent / "recordings"
STORY, OUTCOMES, ARRAYS = FOLDER / "story.json", FOLDER / "round.json", FOLDER / "round"
CHAIN, CONTRACT = 31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")


PUBLIC_TEST_MNEMONIC = "test test test test test test test test test test test junk"
"""That of every development chain: its keys are known to everybody."""


class Ledger(Protocol):
    """Who is told each outcome by its name, and says what the story goes on from."""

    def exact(self, name: str, value: str) -> None: ...

    def trained(self, name: str, data: bytes) -> bytes: ...

    def measured(self, name: str, value: Any) -> Any: ...


# ------------------------------------------------------------------ made of integers and labels


def word(*label: object) -> bytes:
    """32 bytes that stand for a label."""
    return digest_of("/".join(map(str, ("recorded round", *label))).encode())


def episodes(label: str, sites: Sequence[int], frames: int = 7) -> bytes:
    """A shard: a bright disc that every action pushes around. Only sums and products: exact on every CPU."""
    generator = np.random.default_rng(int.from_bytes(word(label)[:8], "big"))
    rows, columns = np.mgrid[0:16, 0:16]
    pictures = np.zeros((len(sites), frames, 3, 16, 16), np.uint8)
    actions = generator.uniform(-1, 1, (len(sites), frames - 1, 2)).astype(np.float32)
    state = np.zeros((len(sites), frames, 2), np.float32)
    for episode, site in enumerate(sites):
        place = generator.uniform(3, 12, 2)
        for moment in range(frames):
            if moment:
                place = np.clip(place + 3.0 * actions[episode, moment - 1], 2, 13)
            away = np.square(columns - place[0]) + np.square(rows - place[1])
            light = np.clip(1.0 - away / 20.0, 0.0, 1.0)
            pictures[episode, moment] = (20 + 10 * (site % 3) + 180 * light).astype(np.uint8)
            state[episode, moment] = place
    arrays = {
        "actions": actions, "frames": pictures, "state": state, "site": np.asarray(sites, np.int32),
    }  # fmt: skip
    return encode_tensors(arrays, {"made": "by a test", "schema": "jepanet.shard.1"})


TRAINING = tuple(episodes(f"training {site}", (site,) * 4) for site in range(3))
PUBLIC = episodes("public", (0, 1, 2) * 2)
PROBE = episodes("probe", (0,) * 6)
EVALUATION = episodes("evaluation", (7, 8) * 4)


@cache
def wallet(number: int) -> Wallet:
    """An account of the public mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(PUBLIC_TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
    return Wallet.from_key(Secret(bytes(account.key)))


# ------------------------------------------------------------------ the code under test


@dataclass(frozen=True, slots=True)
class Trained:
    delta: bytes
    residual: bytes | None
    told: dict[str, Any]


class Bench:
    """The files of one project in a folder, and the jobs run over them."""

    def __init__(self, folder: Path, recipe: bytes, manifest: bytes) -> None:
        self._folder, self._recipe = folder, recipe
        self._aligns = read_recipe(recipe).aligns
        for name, data in (("recipe", recipe), ("manifest", manifest), ("evaluation", EVALUATION)):
            self._put(name, data)

    def _put(self, name: str, data: bytes) -> Path:
        (self._folder / name).write_bytes(data)
        return self._folder / name

    @property
    def _round(self) -> RoundFiles:
        return RoundFiles(self._folder / "base", self._folder / "recipe", self._folder / "spec")

    @property
    def _evaluation(self) -> EvaluationFiles:
        return EvaluationFiles(self._folder / "evaluation", self._folder / "manifest")

    def open(self, spec: bytes, base: bytes) -> None:
        self._put("spec", spec)
        self._put("base", base)

    def first_model(self, seed: bytes) -> bytes:
        target = self._folder / "first"
        run(MakeFirstModel(self._folder / "recipe", self._put("public", PUBLIC), seed, target))
        return target.read_bytes()

    def train(self, shard: bytes, seed: bytes, residual: bytes | None) -> Trained:
        made = run(
            TrainDelta(
                round=self._round,
                shards=(TrainingShard.of(self._put("shard", shard)),),
                probe=self._put("probe", PROBE) if self._aligns else None,
                residual=self._put("before", residual) if residual else None,
                seed=seed,
                target=self._folder / "delta",
                residual_target=self._folder / "left",
            )
        )
        left = (self._folder / "left").read_bytes() if made.residual else None
        told = {"steps": made.steps, "turned": round(made.turned_degrees * 1000), **_micro(made.metrics)}
        return Trained((self._folder / "delta").read_bytes(), left, told)

    def score(self, claims: Sequence[tuple[Address, Digest, bytes | None]]) -> dict[str, Any]:
        items = tuple(
            ClaimedDelta(solver, index, digest, None if data is None else self._put(f"claim-{index}", data))
            for index, (solver, digest, data) in enumerate(claims)
        )
        return _tree(run(ScoreClaims(self._round, self._evaluation, items)))

    def merge(self, number: int, deltas: Sequence[bytes]) -> tuple[bytes, dict[str, Any]]:
        items = tuple(
            AcceptedDelta(digest_of(data), self._put(f"accepted-{index}", data))
            for index, data in enumerate(deltas)
        )
        target = self._folder / "merged"
        told = run(MergeDeltas(self._round, self._evaluation, items, RoundId(number), target))
        return target.read_bytes(), _tree(told)


def _tree(result: object) -> dict[str, Any]:
    """A result as a journal notes it."""
    return Codec(type(result), "result", spelling=JOURNAL).tree(result)


def _micro(metrics: Mapping[str, float]) -> dict[str, int]:
    return {name: round(value * 1_000_000) for name, value in metrics.items()}


def documents(ledger: Ledger, story: Mapping[str, Any]) -> None:
    """Every document of the story is read and written again."""
    for name, tree in story["recipes"].items():
        recipe = read_recipe(canonical_json(tree))
        ledger.exact(f"recipe {name}", recipe.to_bytes().decode())
        ledger.exact(f"recipe {name}, digest", recipe.digest().hex())
        for seed in ("a", "b"):
            drawn = recipe.family.initial_weights(word("initial", seed))
            ledger.exact(f"recipe {name}, weights {seed}", digest_of(encode_tensors(drawn, {})).hex())
    manifest = DatasetManifest.from_bytes(canonical_json(story["manifest"]))
    ledger.exact("manifest", manifest.to_bytes().decode())
    for label, shard in (("public", PUBLIC), ("probe", PROBE), ("evaluation", EVALUATION)):
        ledger.exact(f"shard {label}", digest_of(shard).hex())
    for index, shard in enumerate(TRAINING):
        ledger.exact(f"shard {index}", digest_of(shard).hex())


def arithmetic(
    ledger: Ledger, story: Mapping[str, Any], base: bytes, merged: bytes, deltas: Sequence[bytes]
) -> None:
    """Every codec of the recording on one change, with and without what it left out before; every merge rule
    on all deltas."""
    recipe = read_recipe(canonical_json(story["recipes"]["plain"]))
    before, after = (load_model(data, recipe).weights for data in (base, merged))
    change = {name: np.asarray(np.subtract(after[name], before[name])) for name in sorted(before)}
    header = DeltaHeader(Digest(digest_of(base)), recipe.digest())
    for name in sorted(BY_ARRAY):
        data = encode_delta(change, header, name)
        ledger.exact(f"codec {name}, delta", digest_of(data).hex())
        _, left = with_feedback(change, None, name)
        parts, again = with_feedback(change, left, name)
        for what, arrays in (("left out", left), ("second delta", parts), ("left out then", again)):
            ledger.exact(f"codec {name}, {what}", digest_of(encode_tensors(arrays, {})).hex())
        read = _decoded(data, schema_of(change))
        ledger.exact(f"codec {name}, read", digest_of(encode_tensors(read, {})).hex())
    decoded = [(digest_of(data), _decoded(data, schema_of(before))) for data in deltas]
    for rule in RULES:
        velocity = None
        for step in ("first", "second"):
            weights, velocity = merge(before, velocity, decoded, rule=rule, lr_milli=700, momentum_milli=600)
            ledger.exact(f"rule {rule}, {step}", digest_of(encode_tensors(weights, {})).hex())
            ledger.exact(f"rule {rule}, {step} velocity", digest_of(encode_tensors(velocity, {})).hex())


def change_of(story: Mapping[str, Any], delta: bytes, residual: bytes | None) -> Arrays:
    """What a solver meant to send: the weights of its delta, and what a lossy codec left out of them.

    The sum is the same wherever the codec drew the line.
    """
    recipe = read_recipe(canonical_json(story["recipes"]["plain"]))
    weights = _decoded(delta, schema_of(recipe.family.initial_weights(bytes(32))))
    if residual is None:
        return weights
    left, _ = decode_tensors(residual, max_bytes=1 << 20, what="residual")
    return {name: weights[name] + left[name] for name in weights}


def _decoded(delta: bytes, schema: Schema) -> Arrays:
    _, header = decode_tensors(delta, max_bytes=1 << 20, what="delta")
    base, recipe = (Digest(bytes.fromhex(header[name])) for name in ("base", "recipe"))
    return decode_delta(
        delta, schema=schema, max_bytes=1 << 20, base=base, recipe=recipe, codec=header["codec"]
    )


def report_of(
    number: int, coordinator: int, judgements: Sequence[Mapping[str, Any]], off: int
) -> ScoreReport:
    """A coordinator's signed report: the judgements, with accepted gains `off` micro-nats off."""
    signer = wallet(coordinator)
    scores = []
    for item in sorted(judgements, key=lambda item: str(item["solver"]).lower()):
        score = SignedScore(
            solver=Address(item["solver"]),
            digest=Digest(bytes.fromhex(item["digest"])),
            verdict=Verdict(item["verdict"]),
            reason=item["reason"],
            gain=item["gain"] + (off if item["verdict"] == Verdict.ACCEPTED else 0),
            stderr=item["stderr"],
            signature=bytes(65),
            detail=item["detail"],
            metrics=tuple((name, value) for name, value in item["metrics"]),
        )
        typed = score_message(CHAIN, CONTRACT, RoundId(number), score)
        scores.append(replace(score, signature=signer.sign_typed(typed)))
    return ScoreReport(RoundId(number), signer.address, tuple(scores))


def settle(
    ledger: Ledger, said: Mapping[str, Any], name: str, judged: Mapping[str, Any], merged: Mapping[str, Any],
    reveals: Sequence[tuple[Address, Digest]], spec: bytes, model: bytes,
) -> None:  # fmt: skip
    """Reports, sheet, leaves and the result that verifiers sign, all from recorded measurements."""
    rules = decode_spec(spec)
    number = said["round"]
    members = sorted((wallet(index).address for index, _ in said["coordinators"]), key=str.lower)
    reports = [report_of(number, index, judged["judgements"], off) for index, off in said["coordinators"]]
    for (index, _), report in zip(said["coordinators"], reports, strict=True):
        ledger.exact(f"{name}, report of {index}", digest_of(encode_report(report)).hex())
    facts = RoundFacts(
        chain_id=CHAIN,
        contract=CONTRACT,
        round_id=RoundId(number),
        project_id=ProjectId(said["project"]),
        spec=digest_of(spec),
        base=rules.base,
        shard=digest_of(EVALUATION),
        budget=int(said["budget"]),
        fee=int(said["fee"]),
        members=tuple(members),
        threshold=2,
        reveals=tuple(RevealedDelta(who, digest, index) for index, (who, digest) in enumerate(reveals)),
    )
    sheet = derive_sheet(
        facts,
        rules,
        reports,
        model=digest_of(model) if merged["published"] else rules.base,
        improvement=merged["improvement"],
        note=merged["note"],
        metrics=tuple((metric, value) for metric, value in merged["metrics"]),
    )
    data = encode_sheet(sheet)
    ledger.exact(f"{name}, sheet", digest_of(data).hex())
    ledger.exact(f"{name}, root", sheet.root.hex())
    ledger.exact(f"{name}, payout", str(sheet.payout))
    for leaf in sheet.leaves:
        paid = f"{leaf.verdict.name} {leaf.gain} {leaf.amount} {leaf.digest.hex()[:16]}"
        ledger.exact(f"{name}, leaf of {leaf.account}", paid)
        found = sheet.leaf_of(leaf.account)
        assert found is not None
        proof = b"".join(found[1])
        ledger.exact(f"{name}, proof of {leaf.account}", digest_of(proof).hex())
    for row in sheet.rows:
        ledger.exact(f"{name}, reason of {row.solver}", row.reason)
    result = result_data(
        CHAIN, CONTRACT, round_id=number, root=sheet.root, model=sheet.model, sheet=digest_of(data),
        payout=sheet.payout, improvement=sheet.improvement, extension=bytes(32),
    )  # fmt: skip
    ledger.exact(f"{name}, result signed", wallet(said["coordinators"][0][0]).sign_typed(result).hex())


def rows(ledger: Ledger, story: Mapping[str, Any]) -> None:
    """The journal: every kind of row is read and written again; a node's life is folded from its rows."""
    for tag, tree in story["inputs"]:
        fact = journal.decode_fact(tag, canonical_json(tree).decode())
        ledger.exact(f"input {tag}", " ".join(journal.encode_fact(fact)))
    for tag, tree in story["commands"]:
        command = journal.decode_duty(tag, canonical_json(tree).decode())
        ledger.exact(f"command {tag}", " ".join(journal.encode_duty(command)))
        ledger.exact(f"command {tag}, key", duty_key(command))
    for life in story["lives"]:
        me = Identity(
            Address(life["address"]), frozenset(Role(role) for role in life["roles"]), rounds_to_play=9
        )
        state = genesis(me)
        for place, (tag, tree) in enumerate(life["inputs"]):
            state, due = transition(state, journal.decode_fact(tag, canonical_json(tree).decode()))
            asked = " ".join(duty_key(command) for command in due)
            ledger.exact(f"life of a {life['name']}, {place} {tag}", asked)
        data = journal.encode_state(state)
        ledger.exact(f"life of a {life['name']}, state", in_one_record(data).decode())
        again = journal.encode_state(journal.decode_state(data, me))
        ledger.exact(f"life of a {life['name']}, state read", digest_of(in_one_record(again)).hex())


def in_one_record(snapshot: bytes) -> bytes:
    """A snapshot in the form of the recording, in which all that is known of a round was one record."""
    tree = json.loads(snapshot)
    own, off_chain = tree.pop("own"), tree.pop("off_chain")
    assert set(tree["rounds"]) == set(own) == set(off_chain)
    for key, round_ in tree["rounds"].items():
        mine, others = own[key], off_chain[key]
        round_ |= {
            **{name: mine.pop(name) for name in ("prepared", "aggregators", "sealed", "issued")},
            **{f"own_{name}": mine.pop(name) for name in ("scores", "sheet", "result")},
            "failed": [[item["duty"], item["reason"]] for item in mine.pop("failed")],
            "scores": [[item["coordinator"], item["scores"]] for item in others.pop("scores")],
            "sheets": [[item["sender"], item["sheet"]] for item in others["sheets"]],
            "sheets_at": [item["at"] for item in others.pop("sheets")],
            "results": others.pop("results"),
            "others": others.pop("conflicting"),
        }
        assert not mine and not others, "a field that the recording does not know"
    return canonical_json(tree)


# ------------------------------------------------------------------ the story


def play(ledger: Ledger, story: Mapping[str, Any]) -> None:
    """From documents to payments, and the journal beside it."""
    documents(ledger, story)
    models: dict[str, bytes] = {}
    residuals: dict[tuple[str, int], bytes] = {}
    made: list[bytes] = []
    with TemporaryDirectory() as name:
        for said in story["rounds"]:
            folder = Path(name) / str(said["round"])
            folder.mkdir()
            made += _round(ledger, story, said, folder, models, residuals)
    arithmetic(ledger, story, models["plain, first"], models["plain"], made)
    rows(ledger, story)


def _round(
    ledger: Ledger, story: Mapping[str, Any], said: Mapping[str, Any], folder: Path,
    models: dict[str, bytes], residuals: dict[tuple[str, int], bytes],
) -> list[bytes]:  # fmt: skip
    """One round of one project; its deltas. Models and residuals are carried on."""
    kind, number, name = said["recipe"], said["round"], f"round {said['round']}"
    bench = Bench(folder, canonical_json(story["recipes"][kind]), canonical_json(story["manifest"]))
    if kind not in models:
        first = ledger.trained(f"{kind} model 0", bench.first_model(word("warm start", kind)))
        models[kind] = models[f"{kind}, first"] = first
    rules = decode_spec(canonical_json(said["spec"]))
    spec = encode_spec(replace(rules, base=digest_of(models[kind])))
    ledger.exact(f"{name}, spec", spec.decode())
    bench.open(spec, models[kind])
    claims: list[tuple[Address, Digest, bytes | None]] = []
    deltas: list[bytes] = []
    seed = word("round seed", number)
    for who in said["solvers"]:
        solver, salt = wallet(who).address, word("salt", number, who)
        place = (CHAIN, CONTRACT, said["project"], number, solver, seed)
        drawn = training_seed(*place, salt)
        index = training_shard(*place, count=len(TRAINING))
        ledger.exact(f"{name}, assignment of {who}", f"{index} {drawn.hex()}")
        trained = bench.train(TRAINING[index], drawn, residuals.get((kind, who)))
        ledger.measured(f"{name}, training of {who}", trained.told)
        delta = ledger.trained(f"{name}, delta of {who}", trained.delta)
        if trained.residual is not None:
            residuals[kind, who] = ledger.trained(f"{name}, residual of {who}", trained.residual)
        word_of_it = commitment(CHAIN, CONTRACT, number, solver, digest_of(delta), salt)
        ledger.exact(f"{name}, commitment of {who}", word_of_it.hex())
        claims.append((solver, digest_of(delta), delta))
        deltas.append(delta)
    for who, trick in said["others"]:
        claims.append((wallet(who).address, *_other(trick, claims)))
    judged = ledger.measured(f"{name}, scores", bench.score(claims))
    accepted = {item["digest"] for item in judged["judgements"] if item["verdict"] == Verdict.ACCEPTED}
    model, told = bench.merge(number, [data for data in deltas if digest_of(data).hex() in accepted])
    ledger.exact(f"{name}, model", digest_of(model).hex())
    merged = ledger.measured(f"{name}, merge", {key: told[key] for key in told if key != "digest"})
    models[kind] = model
    reveals = [(solver, digest) for solver, digest, _ in claims]
    settle(ledger, said, name, judged, merged, reveals, spec, model)
    return deltas


def _other(trick: str, claims: Sequence[tuple[Address, Digest, bytes | None]]) -> tuple[Digest, bytes | None]:
    """What somebody claims who did no work."""
    _, digest, data = claims[0]
    assert data is not None
    if trick == "copies":
        return digest, data
    if trick == "cuts":
        return digest_of(data[:-1]), data[:-1]
    if trick == "serves nothing":
        return digest_of(b"nothing"), None
    raise Rejected(f"nobody {trick} in this story", reason="bad-story")


# ------------------------------------------------------------------ the recording


def around() -> dict[str, str]:
    """What torch's sums depend on: the build and the processor, down to its model (caches decide blocks)."""
    found = dict(surroundings())
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("vendor_id", "cpu family", "model"):
            found.setdefault(name.strip(), value.strip())
    return found


def arrays_file(name: str) -> Path:
    return ARRAYS / f"{name.replace(', ', '.').replace(' ', '-')}.safetensors"


@dataclass(frozen=True, slots=True)
class Recording:
    """What `play` came to when it was recorded."""

    surroundings: dict[str, str]
    exact: dict[str, str]
    trained: dict[str, str]
    """Digests of the files in `recordings/round/`."""
    measured: dict[str, Any]


def read_story() -> dict[str, Any]:
    story: dict[str, Any] = json.loads(STORY.read_text())
    return story


def read_recording() -> Recording:
    return Recording(**json.loads(OUTCOMES.read_text()))


class Writer:
    """The ledger that records."""

    def __init__(self) -> None:
        self.recording = Recording(around(), {}, {}, {})
        self.files: dict[Path, bytes] = {}

    def exact(self, name: str, value: str) -> None:
        assert name not in self.recording.exact, f"{name!r} is told twice"
        self.recording.exact[name] = value

    def trained(self, name: str, data: bytes) -> bytes:
        self.recording.trained[name] = digest_of(data).hex()
        self.files[arrays_file(name)] = data
        return data

    def measured(self, name: str, value: Any) -> Any:
        self.recording.measured[name] = value
        return value


def _lines(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with one entry of a section a line, so that a change of one is a change of one line."""
    parts = []
    for section, entries in sections.items():
        lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items())
        parts.append(f' "{section}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> int:
    if sys.argv[1:] != ["--write"]:
        print(__doc__)
        return 2
    writer = Writer()
    play(writer, read_story())
    ARRAYS.mkdir(exist_ok=True)
    for path, data in writer.files.items():
        path.write_bytes(data)
    OUTCOMES.write_text(_lines(asdict(writer.recording)))
    print(f"{len(writer.recording.exact)} exact values, {len(writer.files)} files: {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

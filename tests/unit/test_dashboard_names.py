"""What the dashboard calls things by is what a node calls them; it is written by hand in another language."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from jepanet.federation.judging import judge
from jepanet.learning.evaluation import metrics
from jepanet.operations.auditing.rounds import CANCEL_CAUSES
from jepanet.operations.projects import attendance, course
from jepanet.operations.reading import endpoints
from jepanet.operations.views.node import Surroundings
from jepanet.operations.views.observing import EndpointStanding
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.rpc.offered.node import DISK_LOW, Probes, remarks
from jepanet.traffic import BLOB_KINDS
from jepanet.types import CancelCause, Phase, RoundId, Verdict
from jepanet.work.jobs import JOBS
from jepanet.work.requests.auditing import AuditSegment, AuditSegments
from jepanet.work.requests.local_training import PlanTraining, TrainLocally
from jepanet.work.requests.training import TrainDelta

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).resolve().parents[2] / "dashboard" / "src"
BY_HAND = {AuditSegment.job, AuditSegments.job, TrainLocally.job, PlanTraining.job}
"""Jobs of commands, which no node does."""


def test_every_job_of_a_node_has_its_words() -> None:
    words = (SOURCE / "words" / "jobs.ts").read_text(encoding="utf-8")
    named = set(re.findall(r"^  (\w+): \"", words, re.MULTILINE))
    assert named == {kind.job for kind in JOBS} - BY_HAND


def test_every_kind_of_file_and_remark_has_its_words() -> None:
    assert keys("files.ts", "KINDS") == set(BLOB_KINDS)
    around = Surroundings(endpoints_silent=True, clock_ahead=9999, disk_free=0, disk_total=1)
    told = {*remarks(around), *remarks(replace(around, disk_free=DISK_LOW - 1))}
    worded = (SOURCE / "words" / "worries.ts").read_text(encoding="utf-8")
    assert told == set(re.findall(r'remarks\.includes\("([a-z-]+)"\)', worded))


def test_the_cause_of_a_round_without_a_result_is_the_nodes_word() -> None:
    worded = (SOURCE / "words" / "missing.ts").read_text(encoding="utf-8")
    assert f'NO_RESULT = "{CANCEL_CAUSES[CancelCause.EXPIRED]}"' in worded


@pytest.mark.parametrize("file", ["words/worries.ts", "parts/Progress.tsx"])
def test_the_job_that_has_a_deadline_is_the_training_of_a_delta(file: str) -> None:
    compared = re.findall(r"\.job [!=]== \"(\w+)\"", (SOURCE / file).read_text(encoding="utf-8"))
    assert compared == [TrainDelta.job]


def keys(file: str, table: str) -> set[str]:
    """Names that a table of the dashboard has words for."""
    text = (SOURCE / "words" / file).read_text(encoding="utf-8")
    found = re.search(rf"^(?:export )?const {table}: [^=]*= \{{\n(.*?)^\}};", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no table {table} in {file}"
    return set(re.findall(r"^  \"?([a-z-]+)\"?: ", found.group(1), re.MULTILINE))


def test_every_metric_and_note_of_a_score_has_its_words() -> None:
    text = (SOURCE / "words" / "metrics.ts").read_text(encoding="utf-8")
    table = text.partition("const METRICS")[2].partition("\n};")[0]
    assert set(re.findall(r"^  (\w+): \{", table, re.MULTILINE)) == {
        item.name for item in fields(metrics.Metrics)
    }
    said = inspect.getsource(judge)
    assert "{improvement / MICRO:+.6f} {scorer.unit}" in said and "its gain is {upper / MICRO:+.6f}" in said
    scorers = Path(inspect.getfile(metrics)).parent.glob("*.py")
    units = re.findall(r'^    unit = "(.+)"', "\n".join(map(Path.read_text, scorers)), re.MULTILINE)
    assert set(units) == {"nats per direction", "nats per token"}, "`inMnat` knows these"


def test_every_phase_and_verdict_has_its_words() -> None:
    phases = {phase.name.lower() for phase in Phase}
    assert keys("phases.ts", "NAMES") == phases and keys("phases.ts", "HAPPENING") == phases - {"none"}
    verdicts = {verdict.name.lower() for verdict in Verdict} - {"none", "fee"}
    assert keys("verdicts.ts", "VERDICTS") == verdicts


def test_every_cause_of_a_node_that_is_not_ready_has_its_remedy() -> None:
    source = Path(inspect.getfile(Probes)).read_text(encoding="utf-8")
    told = set(re.findall(r"^            \"([a-z-]+)\":", source, re.MULTILINE))
    told |= {"no-answer", "endpoints-silent"}
    assert len(told) == 8 and keys("causes.ts", "CAUSES") == told


def test_every_outcome_and_standing_of_an_observed_project_has_its_words() -> None:
    outcomes = set(re.findall(r'"([a-z]+)"', inspect.getsource(course._round).partition("return ")[0]))
    assert len(outcomes) == 4 and keys("observed.ts", "OUTCOMES") == outcomes
    source = Path(inspect.getfile(endpoints)).read_text(encoding="utf-8")
    standings = set(re.findall(r'"([a-z-]+)"', source)) & set(
        re.findall(r"`([a-z-]+)`", EndpointStanding.__doc__ or "")
    )
    assert len(standings) == 5
    assert keys("observed.ts", "ENDPOINTS") == keys("observed.ts", "STANDINGS") == standings


def test_every_part_of_a_wallet_has_its_words() -> None:
    told = set(re.findall(r'^        "([a-z]+)": ', inspect.getsource(attendance.parts_of), re.MULTILINE))
    assert len(told) == 4 and keys("parts.ts", "PARTS") == told


def test_the_claim_of_a_round_is_found_among_the_duties_by_its_key() -> None:
    words = (SOURCE / "words" / "claims.ts").read_text(encoding="utf-8")
    assert duty_key(SendClaim(RoundId(7))) == "SendClaim/7" and "`SendClaim/${item.round}`" in words

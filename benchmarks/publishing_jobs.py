"""The jobs of a node's worker, but for what a merge is worth: every one is published. For `round_bytes.py`.

A model that is trained for four steps rarely gains, and a merge that gains nothing is withheld: then no model
travels, and there is nothing to measure. Training, scoring, merging and every byte are those of any node.
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.work import jobs
from jepanet.work.merging import merge_deltas
from jepanet.work.requests.merging import MergeDeltas, MergedModel
from jepanet.work.requests.request import JobTable, OnProgress


def merge_and_publish(request: MergeDeltas, on_progress: OnProgress) -> MergedModel:
    made = merge_deltas(request, on_progress)
    return replace(made, published=True, improvement=max(1, made.improvement), note="")


JOBS: JobTable = {**jobs.JOBS, MergeDeltas: merge_and_publish}

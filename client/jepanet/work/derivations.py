"""The job of a worker that only derives models, beside one that trains, scores and merges."""

from __future__ import annotations

from jepanet.work.deriving import derive_model
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.request import JobTable

JOBS: JobTable = {DeriveModel: derive_model}

"""The numbers of a training by hand in a folder of MLflow's (extra `mlflow`); nothing leaves this machine.

The training's own tracking file stays what counts: this is a copy for those who use MLflow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jepanet.errors import Exit, Fatal
from jepanet.storage.tracking import Point

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "jepanet"
_RUN, _STATUS, _MODEL = "jepanet.run", "jepanet.status", "jepanet.model"
_MOST = 1000
"""Metrics that MLflow takes at once."""
_AT_HOME = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # reports what is called to its makers otherwise, from 3.2 on
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",  # a folder is the one store that needs neither server nor database
}
"""Read by MLflow while it is imported."""


class MlflowRun:
    """One training in MLflow's file store; taken up again, it goes on in the same run."""

    def __init__(self, client: MlflowClient, run: str) -> None:
        self._client, self._run = client, run
        self._last: dict[str, int] = {}
        """By name: the step of the newest value. A step done again after a kill has the value it had."""

    def add(self, points: Iterable[Point]) -> None:
        """Adds measurements that are not there yet. Raises: Fatal: they cannot be written (`CONFIG`)."""
        from mlflow.entities import Metric

        now, fresh = int(1000 * time.time()), []
        for step, measures in points:
            for name, value in measures.items():
                if step > self._newest(name):
                    self._last[name] = step
                    fresh.append(Metric(name, float(value), now, step))
        with _explained():
            for first in range(0, len(fresh), _MOST):
                self._client.log_batch(self._run, metrics=fresh[first : first + _MOST])

    def end(self, status: str, model: str | None = None) -> None:
        """Notes how the training ended, and its model's CID where it made one. Raises: Fatal as `add`."""
        with _explained():
            self._client.set_tag(self._run, _STATUS, status)
            if model is not None:
                self._client.set_tag(self._run, _MODEL, model)
            self._client.set_terminated(self._run, "FAILED" if model is None else "FINISHED")

    def _newest(self, name: str) -> int:
        if name not in self._last:
            known = name in self._client.get_run(self._run).data.metrics
            history = self._client.get_metric_history(self._run, name) if known else []
            self._last[name] = max((item.step for item in history), default=-1)
        return self._last[name]


def open_mlflow(folder: Path, run: bytes, parameters: Mapping[str, object]) -> MlflowRun:
    """The run of a training in the store `folder`, which is made if need be, begun or taken up again.

    `run`: 32 bytes that tell the training from others. `parameters` are noted when it begins.

    Raises:
        Fatal: MLflow is not installed (exit code `TOOL_MISSING`), or the folder is no store (`CONFIG`).
    """
    os.environ.update(_AT_HOME)
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Param
    except ImportError as error:
        raise Fatal(
            f"MLflow cannot be used: {error}",
            remedy="pip install 'jepanet[mlflow]', or leave --mlflow out",
            code=Exit.TOOL_MISSING,
        ) from error
    store = folder.absolute().as_uri()  # never a server, whatever MLFLOW_TRACKING_URI says
    with _explained(f"{folder} cannot be used as a store of MLflow's"):
        client = MlflowClient(tracking_uri=store, registry_uri=store)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        number = client.create_experiment(EXPERIMENT) if experiment is None else experiment.experiment_id
        found = client.search_runs([number], filter_string=f"tags.`{_RUN}` = '{run.hex()}'")
        if found:
            name = found[0].info.run_id
            client.update_run(name, status="RUNNING")
            return MlflowRun(client, name)
        name = client.create_run(number, run_name=run.hex()[:8], tags={_RUN: run.hex()}).info.run_id
        client.log_batch(name, params=[Param(key, str(value)) for key, value in parameters.items()])
        return MlflowRun(client, name)


@contextmanager
def _explained(what: str = "MLflow's store cannot be written") -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise Fatal(
            f"{what}: {error}", remedy="name another folder with --mlflow, or leave it out", code=Exit.CONFIG
        ) from error

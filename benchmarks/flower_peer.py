"""A server of Flower or one of its clients, for `round_bytes.py`; JSON lines. Run by an interpreter that has
flwr; nothing of ours is imported. A client sends back what it was given, so that a round is the exchange
alone.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from flwr.client import NumPyClient, start_client  # noqa: E402
from flwr.common import ndarrays_to_parameters  # noqa: E402
from flwr.server import ServerConfig, start_server  # noqa: E402
from flwr.server.strategy import FedAvg  # noqa: E402

PIECE = 1 << 16


def say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Timed(FedAvg):  # type: ignore[misc]
    """FedAvg that says how long each round took, from the first message that is made to the average."""

    def configure_fit(self, *args: Any, **options: Any) -> Any:
        self.began = time.perf_counter(), time.process_time()
        return super().configure_fit(*args, **options)

    def aggregate_fit(self, *args: Any, **options: Any) -> Any:
        merged = super().aggregate_fit(*args, **options)
        wall, cpu = self.began
        say(seconds=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        return merged


class Echo(NumPyClient):  # type: ignore[misc]
    def __init__(self) -> None:
        self.spent = time.process_time()

    def fit(self, parameters: Any, config: Any) -> Any:
        # One round is from one call to the next: what it takes to answer and to be asked again.
        spent, self.spent = time.process_time() - self.spent, time.process_time()
        say(cpu=spent)
        return parameters, 1, {}


def main(settings: dict[str, Any]) -> None:
    if "connect" in settings:
        start_client(server_address=settings["connect"], client=Echo().to_client())
        return
    whole, rest = divmod(settings["values"], PIECE)
    weights = [np.ones(size, np.float32) for size in [PIECE] * whole + [rest] * bool(rest)]
    strategy = Timed(
        fraction_evaluate=0.0,
        min_fit_clients=settings["clients"],
        min_evaluate_clients=0,
        min_available_clients=settings["clients"],
        initial_parameters=ndarrays_to_parameters(weights),
    )
    config = ServerConfig(num_rounds=settings["rounds"])
    start_server(server_address=settings["listen"], config=config, strategy=strategy)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

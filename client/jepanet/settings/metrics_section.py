"""`[metrics]`: whether Prometheus may read a node's figures, at `GET /metrics` of its JSON-RPC server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.marks import Range
from jepanet.settings.rpc_section import RpcSection
from jepanet.settings.section_reader import bad


@dataclass(frozen=True, slots=True)
class MetricsSection:
    enabled: Annotated[
        bool,
        "answer GET /metrics on the port of `[rpc]`: without a token where that listens at loopback, else "
        "with that of scope `read`",
    ] = False
    account_seconds: Annotated[
        float,
        Range(10.0, 86400.0),
        "between two looks at the wallet's balance and stake, two requests each; no other figure costs any",
    ] = 300.0


def check_metrics(section: MetricsSection, rpc: RpcSection) -> None:
    """Raises: Fatal (`CONFIG`): no server is there to answer."""
    if section.enabled and not rpc.enabled:
        raise bad(
            "metrics.enabled is true and rpc.enabled is not", "set rpc.enabled: one server answers both"
        )

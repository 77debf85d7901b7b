"""`config`: with what the node runs."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.operations.shown_config import Shown, shown_config
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def show(_: NoParams) -> Mapping[str, Mapping[str, Shown]]:
        return shown_config(node.config)

    return (
        Method(
            "config.show",
            "The node's configuration, defaults included; what may be a secret is hidden",
            NoParams,
            Mapping[str, Mapping[str, Shown]],
            show,
        ),
    )

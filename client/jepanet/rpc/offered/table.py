"""Every method that a node offers."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet import __version__
from jepanet.operations.views.funds import Account
from jepanet.rpc.handles.holdings import Holdings
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.handles.sending import Sendings
from jepanet.rpc.handles.sheets import Sheets
from jepanet.rpc.method import Method, table_of
from jepanet.rpc.offered import (
    blobs,
    chain,
    configuration,
    dashboard,
    logs,
    money,
    pausing,
    peers,
    projects,
    rounds,
    scores,
    stake,
    subscriptions,
    training,
    verifiers,
)
from jepanet.rpc.offered import node as of_node
from jepanet.rpc.offered.node import Probes
from jepanet.rpc.openrpc import discovering
from jepanet.rpc.transport.invitations import Invitations


def methods_of(
    node: RunningNode,
    recent: RecentStatus,
    probes: Probes,
    invitations: Invitations,
    holdings: Holdings[Account],
    sendings: Sendings,
) -> Mapping[str, Method]:
    """By name."""
    sheets = Sheets(node)
    methods = (
        *of_node.methods(recent, probes),
        *pausing.methods(node),
        *chain.methods(node, recent),
        *projects.methods(node),
        *peers.methods(node),
        *rounds.methods(node, sheets),
        *scores.methods(node),
        *money.methods(node, sheets, holdings),
        *stake.methods(sendings),
        *verifiers.methods(sendings),
        *training.methods(node),
        *blobs.methods(node),
        *logs.methods(),
        *configuration.methods(node),
        *dashboard.methods(invitations),
        *subscriptions.methods(None),
    )
    return table_of([*methods, discovering(methods, __version__)])

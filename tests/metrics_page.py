"""A page of metrics with every one of them in it, and the pieces that tests of metrics make it of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jepanet.metrics.chain import (
    AccountReading,
    ChainReading,
    EndpointReading,
    account_samples,
    chain_samples,
    endpoint_samples,
    transaction_samples,
)
from jepanet.metrics.exposition import page_of
from jepanet.metrics.machine import (
    DiskReading,
    JobReading,
    WorkerReading,
    disk_samples,
    network_samples,
    program_samples,
    traffic_samples,
    worker_samples,
)
from jepanet.metrics.rounds import Looking, OpenDuty, duty_samples, round_samples
from jepanet.protocol.state import Commit, FailedDuty, Identity, NodeState, OffChain, Own, Round, VerifierSet
from jepanet.traffic import Traffic
from jepanet.types import Address, BlockRef, Role, RoundId
from round_samples import account, digest
from rpc_node import a_round

ME = account("solver", 0)
NOTHING = Looking(aborted=lambda _: False, apart=lambda _: (), done=lambda _: False, has=lambda _: True)
CHAIN = ChainReading(BlockRef(20, bytes(32), 990), 4.0, False, False, False, 17, True)


def state_of(
    *rounds: Round, roles: Iterable[Role] = (Role.SOLVER,), now: int = 1100, me: Address = ME
) -> NodeState:
    return replace(
        NodeState(Identity(me, frozenset(roles))),
        block=BlockRef(9, bytes(32), now),
        rounds={item.id: item for item in rounds},
        own={item.id: Own() for item in rounds},
        off_chain={item.id: OffChain() for item in rounds},
        verifier_sets={1: VerifierSet((account("coordinator", 0),), 1)},
    )


def a_plain_round(number: int = 1) -> Round:
    """COMMIT until 1060, REVEAL from 1070 to 1160, VERIFY until 1280; no commitment yet."""
    return replace(a_round(number, None, digest("spec")), commits=(), reveals=())


def whole_page() -> bytes:
    state = state_of(replace(a_plain_round(), commits=(Commit(ME, bytes(32), 0),)))
    given_up = Own(failed=(FailedDuty("TrainShard", "took-too-long"),))
    return page_of(
        [
            *chain_samples(CHAIN, 1000.0),
            *endpoint_samples([EndpointReading("http://127.0.0.1:8545", 1, 0, 1.0, False, False, False)]),
            *transaction_samples([], 1.0, 1.0),
            *account_samples(AccountReading(1, 1, 1, 1, 1, 1.0)),
            *round_samples(replace(state, own=dict.fromkeys(state.own, given_up)), NOTHING),
            *duty_samples(state, [OpenDuty("SendReveal", RoundId(1), 0)]),
            *worker_samples([WorkerReading("jobs", 1, 1, JobReading(1, 1, 2, 0.5, 1.0))]),
            *network_samples(1, 1, 1, 1, True),
            *traffic_samples(Traffic()),
            *disk_samples(DiskReading(1, 1, 1, 1, 1)),
            *program_samples("0.1.0", [Role.SOLVER], 2),
        ]
    )

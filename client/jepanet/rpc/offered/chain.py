"""`chain`, `projects`: what the node knows from the chain, at its newest confirmed block."""

from __future__ import annotations

from jepanet.cid import to_cid
from jepanet.operations.shown_config import endpoint_names
from jepanet.operations.views.node import ChainStatus
from jepanet.operations.views.projects import KnownProject
from jepanet.protocol.state import Identity, Project
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams
from jepanet.rpc.offered.paging import Page, PageParams, page_of


def methods(node: RunningNode, recent: RecentStatus) -> tuple[Method, ...]:
    """Those of these namespaces."""

    async def status(_: NoParams) -> ChainStatus:
        deployment, configured = node.deployment, node.config.chain.confirmations
        return ChainStatus(
            chain_id=deployment.chain_id,
            token=deployment.token,
            rounds=deployment.rounds,
            lens=deployment.lens,
            first_block=deployment.block_number,
            confirmations=deployment.confirmations if configured is None else configured,
            endpoints=endpoint_names(node.config.chain.endpoints),
            position=(await recent.get()).chain,
        )

    async def projects(given: PageParams) -> Page[KnownProject]:
        state = node.state
        known = [_known(state.projects[key], state.me) for key in sorted(state.projects)]
        return page_of(known, lambda item: item.project, given.limit, given.cursor)

    return (
        Method(
            "chain.status",
            "The chain, its contracts, and how far the node has read it",
            NoParams,
            ChainStatus,
            status,
        ),
        Method("projects.list", "Every project of the deployment", PageParams, Page[KnownProject], projects),
    )


def _known(project: Project, me: Identity) -> KnownProject:
    return KnownProject(
        project=int(project.id),
        owner=project.owner,
        recipe=to_cid(project.recipe, "dag-json"),
        dataset=to_cid(project.dataset, "dag-json"),
        model=to_cid(project.model),
        verifier_set=project.verifier_set,
        evaluation_shards=project.evaluation_count,
        rounds=project.rounds,
        active_round=None if project.active is None else int(project.active),
        followed=not me.projects or project.id in me.projects,
    )

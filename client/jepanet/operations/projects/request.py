"""What `jepanet project create` asks for: refused where it contradicts itself or what is on the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.contracts.all import Contracts, ProjectView
from jepanet.errors import Exit, Fatal
from jepanet.operations.funds.precheck import check_members, check_set
from jepanet.types import Address, Digest

MAX_NAME = 100
"""Characters of a project's name."""


@dataclass(frozen=True, slots=True)
class Judges:
    """A project's verifiers: an existing set, or the members and threshold of a new one (`set_id` 0)."""

    set_id: int = 0
    members: tuple[Address, ...] = ()
    threshold: int = 0


@dataclass(frozen=True, slots=True)
class ProjectRequest:
    """What the contracts are asked for, but for the first model, which takes long to make."""

    root: bytes
    shards: int
    recipe: Digest
    dataset: Digest
    metadata: Digest
    judges: Judges


def check_name(name: str) -> None:
    """Raises: Fatal: empty, too long, or not printable (exit code `USAGE`)."""
    if not 1 <= len(name.strip()) <= len(name) <= MAX_NAME or not name.isprintable():
        shown = name if name.isprintable() else ascii(name)
        raise Fatal(
            f"{shown[:40]!r} ({len(name)} characters) is no name for a project",
            remedy=f"give 1 to {MAX_NAME} printable characters",
            code=Exit.USAGE,
        )


def judges_of(verifier_set: int | None, verifiers: Sequence[str], threshold: int | None) -> Judges:
    """Raises: Fatal: neither or both of the two ways are given, or one in part (exit code `USAGE`)."""
    if verifier_set is not None:
        if verifiers or threshold is not None:
            raise Fatal(
                "--set names a set that has its verifiers and threshold",
                remedy="give --set ID alone, or --verifier and --threshold for a new set",
                code=Exit.USAGE,
            )
        return Judges(set_id=verifier_set)
    if not verifiers or threshold is None:
        raise Fatal(
            "a project needs verifiers",
            remedy="give --verifier ADDRESS (repeatable) with --threshold K, or --set ID",
            code=Exit.USAGE,
        )
    return Judges(members=check_members(verifiers, threshold), threshold=threshold)


async def find_project(
    contracts: Contracts, request: ProjectRequest, owner: Address
) -> tuple[int, ProjectView] | None:
    """This owner's project over the same sealed shards, with its id.

    Shards serve one project: what one has drawn is public, and measures nothing in another.

    Raises:
        Fatal: there is one that differs from the request (exit code `REJECTED`), or none and it names a
            verifier set that does not exist (`NOT_FOUND`).
    """
    for project_id in range(1, await contracts.lens.project_count("latest") + 1):
        project = await contracts.lens.project(project_id, "latest")
        if project.owner != owner or project.evaluation_root != request.root:
            continue
        differing = await _differing(contracts, project, request)
        if differing:
            raise Fatal(
                f"project {project_id} was made from this dataset with another "
                f"{' and another '.join(differing)}: nothing was sent",
                remedy="build another dataset for another project: sealed shards serve one alone",
                code=Exit.REJECTED,
            )
        return project_id, project
    if request.judges.set_id:
        await check_set(contracts, request.judges.set_id)
    return None


async def _differing(contracts: Contracts, project: ProjectView, request: ProjectRequest) -> list[str]:
    judges = request.judges
    if judges.set_id:
        same = project.verifier_set == judges.set_id
    else:
        found = await contracts.lens.verifier_set(project.verifier_set, "latest")
        same = set(found.members) == set(judges.members) and found.threshold == judges.threshold
    compared = {
        "recipe": project.recipe == request.recipe,
        "manifest": project.dataset == request.dataset,
        "name": project.metadata == request.metadata,
        "verifier set": same,
    }
    return [what for what, agrees in compared.items() if not agrees]

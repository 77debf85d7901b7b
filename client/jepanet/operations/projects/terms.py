"""What a project's rounds are played for, and by which rules: in sentences, and field by field."""

from __future__ import annotations

from jepanet.operations.projects.deterring import deterrence_of_round, deterring_words
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.projects import ProjectTerms, Rule
from jepanet.protocol.documents.spec import EXACT, SPEC, Gates, NormCaps, RoundSpec
from jepanet.protocol.state import NodeState, Project, Round
from jepanet.records.reference import holdings
from jepanet.tokens import exact

_NOBODY = bytes(32)
_MIB = 1 << 20


def newest_round(state: NodeState, project: Project) -> Round | None:
    """The round of a project that was opened last, of those that the node keeps."""
    return max(
        (item for item in state.rounds.values() if item.project_id == project.id),
        key=lambda item: item.id,
        default=None,
    )


def terms_of(state: NodeState, round_: Round, spec: RoundSpec | None) -> ProjectTerms:
    """What a round promises and asks for. `spec`: its rules; None where they are not to be had."""
    budget, paid = round_.params.budget, round_.recorded.payout if round_.recorded else None
    told = () if spec is None else (*_of_spec(spec), *_deterring(round_, spec))
    return ProjectTerms(
        round=int(round_.id),
        proposer=round_.proposer,
        budget=Wei(budget),
        paid=None if paid is None else Wei(paid),
        left=Wei(budget + round_.params.fee - (paid or 0)),
        fee=Wei(round_.params.fee),
        bond=Wei(round_.params.bond),
        words=(*_of_chain(state, round_), *told),
        rules=() if spec is None else tuple(
            Rule(item.entry.key, item.value, item.entry.meaning) for item in holdings(SPEC, spec)
        ),
    )  # fmt: skip


def _of_chain(state: NodeState, round_: Round) -> tuple[str, ...]:
    terms, members = round_.params, state.members(round_)
    who = "everybody" if terms.allow_list == _NOBODY else "only accounts of an allow list"
    most = f", {terms.max_solvers} of them at most" if terms.max_solvers else ""
    said = [
        f"solvers are paid out of {exact(terms.budget)} tokens, coordinators out of {exact(terms.fee)}",
        f"{who} may commit{most}; each puts {exact(terms.bond)} tokens at stake",
        f"{terms.commit_duration} s to train and commit, {terms.gap} s in which the evaluation shard is "
        f"drawn, {terms.reveal_duration} s to reveal, {terms.verify_duration} s to measure and merge, "
        f"{terms.challenge_duration} s to dispute the result",
    ]
    if members:
        said.append(f"{state.threshold(round_)} of {len(members)} verifiers sign the result")
    return tuple(said)


def _deterring(round_: Round, spec: RoundSpec) -> tuple[str, ...]:
    found = deterrence_of_round(spec, bond=round_.params.bond, budget=round_.params.budget)
    return () if found is None else deterring_words(found)


def _of_spec(spec: RoundSpec) -> tuple[str, ...]:
    merge, norms, update = spec.merge, spec.norms, spec.update
    said = [
        f"a micro-nat of measured gain, less {_thousandths(spec.shrink_milli)} standard errors, pays "
        f"{exact(spec.price)} tokens; where all of that is more than the budget it is shared in proportion",
        f"a solver takes {spec.inner_steps:,} steps; its delta travels as {spec.codec}, with "
        f"{spec.max_delta_bytes / _MIB:,.1f} MiB at most",
        f"deltas are merged by {merge.rule}; the model then moves by {_thousandths(merge.outer_lr_milli)} of "
        f"that, with a momentum of {_thousandths(merge.outer_momentum_milli)}",
        f"a delta is excluded that {_too_long(norms)}points as an earlier one does (|cosine| from "
        f"{_thousandths(spec.similarity_milli)} on), or harms by more than "
        f"{_thousandths(spec.gates.harm_sigmas_milli)} standard errors",
        f"a coordinator earns its fee within {spec.score_tolerance:,} micro-nats of the median measurement",
    ]
    costs = _of_length(spec.gates)
    if costs:
        said.append(f"for the root of its length over the base's a delta may cost {costs}, or is excluded")
    if spec.evaluation_episodes:
        said.append(
            f"everything is measured over {spec.evaluation_episodes:,} episodes of the unsealed shard, which "
            "the beacon chooses"
        )
    if spec.committed_scores:
        said.append(
            "coordinators commit to their scores before any are opened; a fee is for scores that were "
            "committed to in time and whose gains, errors and verdicts stand"
        )
    if spec.pay_cap is not None:
        said.append(f"no delta is paid more than {exact(spec.pay_cap)} tokens")
    if spec.pay_as_merged:
        said.append("a delta is paid for its gain as one of those that are merged")
    if spec.pay_to_median_milli:
        said.append(
            f"no delta is paid more than {_thousandths(spec.pay_to_median_milli)} times "
            + ("what is usual" if spec.usual_follows else "the round's median")
        )
    if spec.usual_worth:
        said.append(
            f"in the round that made the base a delta was usually worth {spec.usual_worth:,} micro-nats"
            + (f" as one of {spec.usual_count}" if spec.usual_count else "")
            + "; in this one it is taken to be from a half to five quarters of that"
            + (", times what is merged there over what is merged here" if spec.usual_count else "")
        )
    if spec.variance_price_milli:
        said.append(
            f"a gain counts {_thousandths(spec.variance_price_milli)} nats less for each nat of latent "
            "variance (its logarithm) that is lost"
        )
    if norms.referred:
        said.append(
            f"a delta counts as no longer than {_thousandths(norms.to_reference_milli)} times what was usual "
            f"in the round that made the base, {norms.reference_nano / 1e7:.2f} % of the base's norm"
        )
    elif norms.to_reference_milli:
        said.append(
            f"a delta counts as no longer than {_thousandths(norms.to_own_median_milli)} times the round's "
            "median: no round has said yet what is usual"
        )
    if merge.drop_sigmas_milli:
        said.append(
            f"a delta is dropped by which the merge is worse, by {_thousandths(merge.drop_sigmas_milli)} "
            "standard errors, and so is the worst while the merge does not pass: unpaid, its bond returned"
        )
    if update is not None:
        said.append(f"the next model travels as its difference to the last one, coded as {update.codec}")
    if spec.audit is not None:
        how = "byte for byte" if spec.audit.mode == EXACT else "on any build, within a measured distance"
        said.append(f"a training can be audited in up to {spec.audit.segments} parts, {how}")
        if spec.audit.probability_milli:
            said.append(
                f"with a chance of {_thousandths(spec.audit.probability_milli)} the verifiers audit a "
                f"training: its first part, its last and {spec.audit.opened} drawn ones; a delta that is not "
                "made as it says, or not opened, costs the whole bond"
            )
    return tuple(said)


def _of_length(gates: Gates) -> str:
    """What a delta may cost the latents by its length; empty where nothing bounds it."""
    most = (
        ("variance", gates.variance_per_length_milli),
        ("SIGReg", gates.sigreg_per_length_milli),
        ("rank", gates.rank_per_length_milli),
    )
    return ", ".join(f"{_thousandths(milli)} nats of latent {name}" for name, milli in most if milli)


def _too_long(norms: NormCaps) -> str:
    if norms.to_reference_milli:
        return ""
    return f"is longer than {_thousandths(norms.to_median_milli)} times the round's median, "


def _thousandths(value: int) -> str:
    return f"{value / 1000:g}"

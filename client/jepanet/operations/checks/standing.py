"""Checks of what the chain says of this wallet: gas, stake, seats, projects, funds for rounds."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.all import Configuration, ProjectView, RoundView, SetView, StakeAccount
from jepanet.chain.sending.fees import FeeCapReached, quote
from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.operations.checks.audit_terms import judge_audit_terms, recipe_of
from jepanet.operations.checks.audits import held_guard, held_rules, judge_audits
from jepanet.operations.checks.findings import Finding, failed, fine, warned
from jepanet.operations.checks.openings import judge_set, judge_terms
from jepanet.operations.checks.windows import check_windows
from jepanet.protocol.documents.build import Build
from jepanet.protocol.documents.project_folder import MANIFEST_FILE, PROJECT_FILES
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.settings.config import Config
from jepanet.settings.fees import GWEI, fee_policy
from jepanet.settings.terms import round_terms, wei
from jepanet.tokens import exact, tokens
from jepanet.types import Address, Role
from jepanet.work.methods import METHODS

_ONE_CALL, _ONE_ROUND = 300_000, 2_000_000
"""Gas of one transaction, and of a round's worth of them with room to spare."""
_MOST_LOOKED_AT = 64
"""Newest projects and verifier sets: there may be any number of strangers'."""


class AccountChecks:
    """One look at an account. Every method may raise Transient when no endpoint answers."""

    def __init__(
        self, config: Config, chain: ChainAccess, wallet: Address, build: Build | None = None
    ) -> None:
        """`build`: what this machine computes trainings by; None: a node that runs looks by itself."""
        self._build = build
        self._chain = chain
        self._wallet = wallet
        self._config = config
        self._rows: list[Finding] = []
        self._projects: dict[int, ProjectView] = {}

    async def findings(self) -> list[Finding]:
        """All rows: gas first, then projects, then each role."""
        self._rows = []
        contracts, roles = self._chain.contracts, self._config.node.roles
        stake = await contracts.lens.account(self._wallet, "latest")
        held = await contracts.token.balance(self._wallet, "latest")
        await self._gas()
        await self._followed()
        if Role.SOLVER in roles:
            await self._solver(stake, held)
        if Role.COORDINATOR in roles:
            await self._coordinator(stake)
        if Role.PROPOSER in roles and self._config.proposer.dataset is not None:
            await self._proposer(stake, held)
        if stake.debt:
            self._rows.append(
                failed(
                    "debt",
                    f"{self._wallet} owes {exact(stake.debt)} tokens that a slash could not take: it can "
                    "neither commit nor take stake out",
                    f"jepanet stake deposit {exact(stake.debt).replace(',', '')}, then jepanet stake collect",
                    Exit.UNFUNDED,
                )
            )
        open_rounds = await self._rounds()
        self._rows += await check_windows(self._config, self._chain, open_rounds)
        for number, view in open_rounds.items():
            rules = None if view.recorded else held_rules(self._config.node.data_dir, view)
            if rules is not None:
                guard = held_guard(self._config.node.data_dir, rules)
                self._rows += judge_audits(number, view, rules, frozenset(roles), self._build, guard)
        return self._rows

    async def _gas(self) -> None:
        native = await self._chain.rpc.balance(self._wallet, "latest")
        try:
            price = (await quote(self._chain.rpc, fee_policy(self._config.chain))).max_fee
        except FeeCapReached as error:
            self._rows.append(warned("fees", error.message, error.remedy or "raise chain.max_fee_gwei"))
            price = int(self._config.chain.max_fee_gwei * GWEI)
        text, remedy = f"{self._wallet} holds {tokens(native)} ether", f"send ether to {self._wallet}"
        if native < _ONE_CALL * price:
            need = f"a transaction may cost {exact(_ONE_CALL * price)}"
            self._rows.append(failed("gas", f"{text} and {need}", remedy, Exit.UNFUNDED))
        elif native < _ONE_ROUND * price:
            need = f"a round may cost {exact(_ONE_ROUND * price)}"
            self._rows.append(warned("gas", f"{text} and {need}", remedy))
        else:
            self._rows.append(fine("gas", text))

    async def _followed(self) -> None:
        """Reads the projects this node works for."""
        lens, follow = self._chain.contracts.lens, self._config.projects.follow
        count = await lens.project_count("latest")
        unknown = [str(item) for item in follow if not 1 <= item <= count]
        if unknown:
            self._rows.append(
                failed(
                    "projects",
                    f"projects.follow names {', '.join(unknown)}, and ids run from 1 to {count}"
                    if count
                    else f"projects.follow names {', '.join(unknown)}, and there is no project yet",
                    "see `jepanet project list`",
                    Exit.NOT_FOUND,
                )
            )
        wanted = [item for item in follow if 1 <= item <= count]
        wanted = wanted or ([] if follow else list(range(1, count + 1)))
        for project_id in wanted[-_MOST_LOOKED_AT:]:
            self._projects[project_id] = await lens.project(project_id, "latest")
        if not count and not follow:
            self._rows.append(
                warned(
                    "projects", "there is no project here yet", "wait for one, or `jepanet project create`"
                )
            )
        elif wanted:
            what = "follows" if follow else "follows every project:"
            self._rows.append(fine("projects", f"{what} {', '.join(map(str, wanted[-_MOST_LOOKED_AT:]))}"))

    async def _solver(self, stake: StakeAccount, held: int) -> None:
        limit = wei(self._config.solver.max_bond, "solver.max_bond")
        own = stake.free + held
        bonds = {number: view.bond for number, view in (await self._rounds()).items()}
        text = f"{tokens(own)} tokens for bonds (free stake and wallet)"
        remedy = f"send tokens to {self._wallet}"
        dear = [number for number, bond in bonds.items() if bond > limit]
        poor = [number for number, bond in bonds.items() if own < bond <= limit]
        if not own or poor:
            lacking = f", too few for round {', '.join(map(str, poor))}" if poor else ""
            self._rows.append(failed("solver", text + lacking, remedy, Exit.UNFUNDED))
        elif dear:
            self._rows.append(
                warned(
                    "solver",
                    f"round {', '.join(map(str, dear))} asks for more than solver.max_bond",
                    "raise it if you trust the project's verifiers with it",
                )
            )
        else:
            self._rows.append(fine("solver", text))
        for project_id, view in self._projects.items():
            if self._wallet in (await self._set(view.verifier_set)).members:
                self._rows.append(
                    warned(
                        "solver",
                        f"this wallet judges project {project_id} and may not train in it",
                        "solve with another wallet",
                    )
                )

    async def _coordinator(self, stake: StakeAccount) -> None:
        lens = self._chain.contracts.lens
        wanted = sorted({view.verifier_set for view in self._projects.values()})
        if not self._config.projects.follow:
            count = await lens.set_count("latest")
            wanted = list(range(max(1, count - _MOST_LOOKED_AT + 1), count + 1))
        seats = [item for item in wanted if self._wallet in (await self._set(item)).members]
        vacant = [item for item in seats if not await lens.has_joined(item, self._wallet, "latest")]
        if not seats:
            self._rows.append(
                failed(
                    "coordinator",
                    f"no verifier set names {self._wallet}",
                    "ask the project's owner for a set with this wallet (`jepanet verifiers create`)",
                    Exit.REJECTED,
                )
            )
        elif vacant:
            command = f"jepanet verifiers join {vacant[0]}"
            text = f"named in set {', '.join(map(str, vacant))} and has not joined"
            self._rows.append(failed("coordinator", text, command, Exit.REJECTED))
        else:
            self._rows.append(fine("coordinator", f"seat in set {', '.join(map(str, seats))}"))
        minimum = (await self._configuration()).minimum_verifier_stake
        text = f"free stake {tokens(stake.free)} of {tokens(minimum)} tokens"
        if stake.free < minimum:
            command = f"jepanet stake deposit {exact(minimum - stake.free).replace(',', '')}"
            self._rows.append(failed("coordinator stake", text, command, Exit.UNFUNDED))
        else:
            self._rows.append(fine("coordinator stake", text))

    async def _proposer(self, stake: StakeAccount, held: int) -> None:
        dataset = self._config.proposer.dataset
        assert dataset is not None
        own = {key: view for key, view in self._projects.items() if view.owner == self._wallet}
        if not own:
            remedy = f"jepanet project create --dataset {dataset} …"
            self._rows.append(warned("own projects", f"no project of {self._wallet}", remedy))
            return
        manifest = dataset / PROJECT_FILES / MANIFEST_FILE
        digest = digest_of(manifest.read_bytes()) if manifest.is_file() else None
        if all(view.dataset != digest for view in own.values()):
            self._rows.append(
                failed(
                    "own projects",
                    f"{dataset} is not the dataset of project {', '.join(map(str, own))}",
                    "name the folder the project was created from in proposer.dataset",
                    Exit.DATASET,
                )
            )
        used_up = [key for key, view in own.items() if view.used_shards.bit_count() >= view.evaluation_count]
        if used_up:
            text = f"project {', '.join(map(str, used_up))} has no evaluation shard left"
            self._rows.append(warned("own projects", text, "make a new project for further rounds"))
        wanted = self._config.proposer.rounds
        if not wanted:
            return
        few = [key for key, view in own.items() if view.evaluation_count < wanted and key not in used_up]
        if few:
            text = f"project {', '.join(map(str, few))} has fewer evaluation shards than {wanted} rounds take"
            self._rows.append(warned("own projects", text, "make a new project for those beyond them"))
        try:
            terms = round_terms(self._config.proposer, METHODS)
        except Fatal:  # a row of its own, from the file alone, says so
            return
        deployed = await self._configuration()
        self._rows += judge_terms(terms, deployed)
        recipe = recipe_of(dataset)
        self._rows += [] if recipe is None else judge_audit_terms(terms, recipe)
        await self._openings(own, terms)
        need = terms.budget + terms.fee + terms.unseal_bond + 2 * deployed.keeper_reward
        if not stake.verifier:  # what it can take out in one call when a round needs it
            held += await self._chain.contracts.lens.withdrawable(self._wallet, "latest")
        text = f"{tokens(held)} tokens; a round puts {tokens(need)} in escrow"
        if held < need and not any(view.active_round for view in own.values()):
            self._rows.append(failed("funds", text, f"send tokens to {self._wallet}", Exit.UNFUNDED))
        elif held < need * self._config.proposer.rounds:
            self._rows.append(
                warned(
                    "funds", f"{text}, {self._config.proposer.rounds} are wanted", "send more for all of them"
                )
            )
        else:
            self._rows.append(fine("funds", text))

    async def _rounds(self) -> dict[int, RoundView]:
        """The open rounds of the projects this node works for."""
        active = [int(view.active_round) for view in self._projects.values() if view.active_round]
        return {item: await self._chain.contracts.lens.round(item, "latest") for item in active}

    async def _set(self, set_id: int) -> SetView:
        return await self._chain.contracts.lens.verifier_set(set_id, "latest")

    async def _configuration(self) -> Configuration:
        return await self._chain.contracts.rounds.configuration("latest")

    async def _openings(self, own: Mapping[int, ProjectView], terms: RoundTerms) -> None:
        """Whether the verifier sets of this wallet's projects would carry a round of its terms now."""
        lens, resolve = self._chain.contracts.lens, (await self._configuration()).resolve_duration
        for project_id, view in own.items():
            if view.active_round:
                continue
            set_id, escrow = view.verifier_set, terms.budget + terms.fee
            found = await self._set(set_id)
            admitted = found.curator == self._wallet or await lens.is_admitted(set_id, self._wallet, "latest")
            ready = await lens.can_open(set_id, escrow, "latest")
            self._rows += judge_set(
                project_id, set_id, found, ready, me=self._wallet, admitted=admitted,
                hold=terms.longest_seconds + resolve, escrow=escrow,
            )  # fmt: skip

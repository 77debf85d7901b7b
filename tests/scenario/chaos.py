"""A running network between proxies: plays episodes of faulty endpoints and collects the laws they break.

Each node has two endpoints, and each of them is a proxy of its own in front of the same chain.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from episodes import LOG_QUERIES_ABOVE, NODES, Episode
from laws import Effects, facts_of, journals_are_the_chain, round_went_well, wishes_took_effect_once
from network import Network, Node, ScenarioFailed

from chain_proxy import Backend, ChainProxy, ProxyThread
from jepanet.errors import Exit
from jepanet.protocol import facts

_LOOK = 0.3
_BURST = 50
_EXTENSION, _START = 12.0, 20.0
"""Seconds that an episode lasts beyond its own if no call has met it yet: while its node runs, or starts."""
_WINDOW = 7_200
"""Seconds a phase of a round may last by the chain's clock: blocks mined at once must not end it."""
_FINAL_BLOCKS = 80
"""Blocks after which even a chain without finality counts what was before them as settled."""


@dataclass
class Command:
    """What an operator did during an episode, and what came of it."""

    episode: Episode
    pid: int
    amount: int
    log: Path
    status: int | None = None

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class _Running:
    """An episode that is being played: when it is over, and what its doors had met before."""

    episode: Episode
    until: float
    before: int


class Chaos:
    """See the module's text. `begin` and `end` put the proxies in place and take them away."""

    def __init__(self, network: Network, proxies: ProxyThread, seed: int) -> None:
        self.network = network
        self.seed = seed
        self.broken: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.met: dict[int, int] = {}
        self._proxies = proxies
        self._doors: dict[str, tuple[ChainProxy, ChainProxy]] = {}
        self._busy: dict[str, _Running] = {}
        self._commands: list[Command] = []
        self._effects = Effects(network)

    def begin(self) -> None:
        self.network.log_queries_above = LOG_QUERIES_ABOVE
        for name in NODES:
            first, second = (self._proxies.start(self.network.anvil.url) for _ in range(2))
            self._doors[name] = first, second
            self.network.endpoints[name] = first.url, second.url
        self._restart_all()

    def end(self) -> None:
        self.network.endpoints.clear()
        self._restart_all()

    def _restart_all(self) -> None:
        for node in self.network.nodes.values():
            node.stop()
        self.network.write_configs()
        self.network.run_nodes()

    # ------------------------------------------------------------------ playing

    def open_rounds(self, count: int) -> int:
        """Has the hub open `count` more rounds, one after the other; returns the first one's id."""
        before = len(self.network.events(facts.ChainRoundOpened))
        self.network.rounds = before + count
        self.network.hub.stop()
        self.network.write_configs(
            max_solvers=len(self.network.solvers),
            commit_seconds=_WINDOW,
            reveal_seconds=_WINDOW,
            verify_seconds=_WINDOW,
        )
        self.network.hub.start()
        return before + 1

    def play(self, round_id: int, episodes: Sequence[Episode], *, patience: float) -> None:
        """One round with its episodes, until it is settled and no node has anything of it left to do.

        Raises: ScenarioFailed when that takes longer than `patience` seconds after the last episode.
        """
        waiting = sorted(episodes, key=lambda episode: (episode.after, episode.number))
        self._wait(f"round {round_id} to open", lambda: self._point(round_id) > 0, patience)
        while waiting or self._busy:
            point = self._point(round_id)
            for episode in [item for item in waiting if item.after < point]:
                if self._free(episode.node):
                    waiting.remove(episode)
                    self._start(episode)
            if waiting and not self._busy and waiting[0].after >= point and self._settled(round_id):
                # The round has fewer events than the dice thought.
                waiting = [replace(item, after=0) for item in waiting]
            self._tend()
            time.sleep(_LOOK)
        self._wait(f"round {round_id} to be finished", lambda: self._finished(round_id), patience)

    def _free(self, node: str) -> bool:
        """Neither in an episode, nor is its operator still busy: of two commands the second is refused."""
        given = [command for command in self._commands if command.episode.node == node]
        return node not in self._busy and all(command.status is not None for command in given)

    def _point(self, round_id: int) -> int:
        return len(facts_of(self.network, round_id))

    def _settled(self, round_id: int) -> int | None:
        """The block in which the round was settled."""
        found = self.network.events(facts.ChainRoundSettled, round_id)
        return found[0].block.number if found else None

    def _finished(self, round_id: int) -> bool:
        settled = self._settled(round_id)
        left = "SELECT key FROM outbox WHERE state = 'pending' AND round_id = ?"
        return settled is not None and all(
            node.fed_to() >= settled and not node.query(left, round_id)
            for node in self.network.nodes.values()
        )

    def _start(self, episode: Episode) -> None:
        node = self.network.nodes[episode.node]
        if episode.command == "restart":
            node.stop()
        if episode.burst:
            for mined in range(0, episode.burst, _BURST):  # one call for all of them outlasts a request
                self.network.rpc("anvil_mine", [hex(min(_BURST, episode.burst - mined))])
        backends = [Backend(episode.modes), *([Backend()] if episode.shared else [])]
        before, until = self._calls_met(episode), time.monotonic() + episode.seconds
        for door in self._doors[episode.node][: 1 if episode.where == "first" else 2]:
            self._proxies.call(door.balance, *backends, seed=self.seed * 100_000 + episode.number)
        self._busy[episode.node] = _Running(episode, until, before)
        self._note(str(episode))
        if episode.command == "restart":
            node.start()
        elif episode.command:
            self._give(episode, node)

    def _give(self, episode: Episode, node: Node) -> None:
        # An amount of its own makes each wish's transaction one of a kind.
        tokens = f"1.{episode.number + 1:04d}"
        words = ["claim"] if episode.command == "claim" else ["stake", episode.command, tokens]
        log = self.network.folder / f"command-{episode.number}.log"
        pid = self.network.nursery.run([*words, "--config", str(node.config)], log)
        self._commands.append(Command(episode, pid, 10**18 + (episode.number + 1) * 10**14, log))

    def _tend(self) -> None:
        """Ends episodes whose time is over; takes note of what has ended by itself."""
        for name, running in list(self._busy.items()):
            over = time.monotonic() - running.until
            met = self._calls_met(running.episode) - running.before
            extension = _START if running.episode.command == "restart" else _EXTENSION
            if over >= (0 if met else extension):
                for door in self._doors[name]:
                    self._proxies.call(door.set)
                del self._busy[name]
                self.met[running.episode.number] = met
                self._note(f"end of episode {running.episode.number}, which met {met} calls")
        for command in self._commands:
            if command.status is None:
                command.status = self.network.nursery.ended.get(command.pid)
        for node in self.network.nodes.values():
            if node.exit_status == Exit.TRY_AGAIN and node.name in self._busy:
                node.start()  # no endpoint told the truth as it began: its service manager tries again
            elif node.exit_status is not None:
                self._break([f"{node.name} ended with {node.exit_status}:\n{node.tail(3)}"])
                node.start()
        self.network.skip_to_the_end_of_commit()

    def _calls_met(self, episode: Episode) -> int:
        kinds = {type(mode).__name__ for mode in episode.modes}
        return sum(door.met[kind] for door in self._doors[episode.node] for kind in kinds)

    def _wait(self, what: str, condition: Callable[[], bool], patience: float) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            self._tend()
            if time.monotonic() > deadline:
                ends = "\n".join(f"--- {node.name}\n{node.tail()}" for node in self.network.nodes.values())
                self._break([f"waited {patience:.0f} s for {what}\n{ends}"])
                raise ScenarioFailed(self.report())
            time.sleep(_LOOK)

    # ------------------------------------------------------------------ laws

    def check_round(self, round_id: int, patience: float) -> None:
        """What must hold when a round is over, `patience` seconds later at the latest."""
        deadline = time.monotonic() + patience
        while (broken := list(round_went_well(self.network, round_id))) and time.monotonic() < deadline:
            self._tend()
            time.sleep(_LOOK)
        self._break(broken)
        self._check_wishes()

    def check_all(self, patience: float) -> None:
        """What must hold in the end: of commands, of every journal, of every wish."""
        deadline = time.monotonic() + patience
        while any(command.status is None for command in self._commands) and time.monotonic() < deadline:
            self._tend()
            time.sleep(_LOOK)
        for command in self._commands:
            self._check_command(command)
        newest = int(self.network.rpc("eth_blockNumber"), 16)
        self.network.rpc("anvil_mine", [hex(_FINAL_BLOCKS)])
        deadline = time.monotonic() + patience
        while (broken := list(journals_are_the_chain(self.network, newest))) and time.monotonic() < deadline:
            self._tend()
            time.sleep(_LOOK)
        self._break(broken)
        self._check_wishes()

    def _check_wishes(self) -> None:
        for node in self.network.nodes.values():
            self._break(wishes_took_effect_once(node, self._effects))

    def _check_command(self, command: Command) -> None:
        said, kind = command.said(), command.episode.command
        name = f"{kind} of {command.episode}: exit {command.status}"
        if command.status is None:
            self._break([f"{name}: it never ended"])
        if "Traceback" in said:
            self._break([f"{name}: {said[-2000:]}"])
        if kind == "claim":
            self.outcomes[f"{kind}: exit {command.status}"] += 1
            return
        argument = command.amount.to_bytes(32, "big")
        done = self._effects.of(self.network.nodes[command.episode.node])
        # requestUnbond(amount), deposit(amount, account)
        calls = [(data, count) for (_, data, _), count in done.items() if len(data) in (36, 68)]
        times = sum(count for data, count in calls if data[4:36] == argument)
        self.outcomes[f"{kind}: exit {command.status}, in effect {times} times"] += 1
        if times > 1 or (command.status == 0 and times == 0):
            self._break([f"{name}, but it is in effect {times} times"])
        if times == 1 and command.status != 0 and "0x" not in said:
            self._break([f"{name}, it is in effect all the same and names no transaction: {said[-600:]}"])

    # ------------------------------------------------------------------ telling

    def _break(self, laws: Iterable[str]) -> None:
        for law in laws:
            if law not in self.broken:
                self._note(f"BROKEN: {law}")
                self.broken.append(law)

    def _note(self, what: str) -> None:
        block = int(self.network.rpc("eth_blockNumber"), 16)
        print(f"[{time.strftime('%H:%M:%S')} block {block}] {what}", flush=True)

    def report(self) -> str:
        """The broken laws, what the commands ended with, and how often each kind of fault was met."""
        met: Counter[str] = Counter()
        for door in (door for doors in self._doors.values() for door in doors):
            met.update(door.met)
        return "\n".join(
            (
                f"chaos seed {self.seed}: {len(self.broken)} broken laws; "
                f"{sum(map(bool, self.met.values()))} of {len(self.met)} episodes met a call",
                *(f"  {law}" for law in self.broken),
                *(f"  {count} x {outcome}" for outcome, count in sorted(self.outcomes.items())),
                f"  calls that met a fault: {dict(met.most_common())}",
            )
        )

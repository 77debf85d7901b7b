"""A local development chain: find the anvil binary, start it, stop it so that it writes its state."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.endpoints.endpoint import Endpoint, EndpointDown
from jepanet.errors import Exit, Fatal
from jepanet.telemetry import Secret
from jepanet.types import Address

ENVIRONMENT = "JEPANET_ANVIL"
_LOCAL = Path("node_modules", ".bin", "anvil")
_READY_WITHIN = 30.0
_STOP_WITHIN = 20.0
_MAX_ANSWER = 1 << 20

HARDFORK = "prague"
"""Rules of the chain: the first ones with EIP-2935, by which contracts look up hashes of old blocks."""

PUBLIC_TEST_MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's default mnemonic. PUBLIC: its keys are known to everybody; never fund them on a real chain."""


@dataclass(frozen=True, slots=True)
class PublicTestAccount:
    """An account of the public test mnemonic. Its key is no secret; wallets merely take keys wrapped."""

    address: Address
    key: Secret[bytes]


def public_test_accounts(count: int = 10) -> tuple[PublicTestAccount, ...]:
    """The first accounts (m/44'/60'/0'/0/i) anvil funds. PUBLIC keys, for development chains only."""
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    found = []
    for index in range(count):
        account = Account.from_mnemonic(PUBLIC_TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        found.append(PublicTestAccount(Address(account.address), Secret(bytes(account.key))))
    return tuple(found)


def find_anvil() -> Path:
    """The anvil binary: $JEPANET_ANVIL, node_modules/.bin/anvil here or above (or above this package), PATH.

    Raises:
        Fatal: none of the three has it (Exit.TOOL_MISSING).
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        path = Path(named).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return path
        raise Fatal(
            f"{ENVIRONMENT}={named} is not an executable file",
            remedy=f"correct or unset {ENVIRONMENT}",
            code=Exit.TOOL_MISSING,
        )
    here, package = Path.cwd(), Path(__file__).resolve().parent
    for folder in (here, *here.parents, *package.parents):
        if os.access(folder / _LOCAL, os.X_OK):
            # Resolved: npm's link may be a script that would outlive us; the target is the binary itself.
            return (folder / _LOCAL).resolve()
    found = shutil.which("anvil")
    if found:
        return Path(found)
    raise Fatal(
        f"anvil was not found: {ENVIRONMENT} is not set, there is no {_LOCAL} in {here} or above, "
        "and PATH has no anvil",
        remedy="run `npm ci` in the repository, or install Foundry (foundryup)",
        code=Exit.TOOL_MISSING,
    )


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port of 127.0.0.1 at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class AnvilProcess:
    """One anvil, listening on 127.0.0.1 only (HTTP and WebSocket on the same port).

    Args:
        port: TCP port.
        chain_id: chain id, kept across restarts with the same state file.
        block_time: seconds per block; None mines every transaction at once.
        state: file the chain is loaded from if it exists, and written to by `stop`.
        log: file for anvil's output; discarded when None.
        apart: it outlives whoever started it, and a Ctrl-C at that one's terminal does not reach it.
        arguments: further command-line arguments, e.g. ("--no-mining",).
    """

    def __init__(
        self,
        *,
        port: int,
        chain_id: int = 31337,
        block_time: float | None = None,
        state: Path | None = None,
        log: Path | None = None,
        apart: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self.port = port
        self.chain_id = chain_id
        self._log = log
        self._apart = apart
        self._command = ["--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
        self._command += ["--hardfork", HARDFORK]
        if block_time is not None:
            self._command += ["--block-time", f"{block_time:g}"]
        if state is not None:
            self._command += ["--state", str(state)]
        self._command += list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self, started: Callable[[int], None] = lambda _pid: None) -> None:
        """Starts anvil and waits until it answers. `started` hears its process id before that.

        Raises:
            Fatal: no anvil (Exit.TOOL_MISSING), the port is taken (Exit.PORT_IN_USE), or anvil ended at once.
        """
        binary = find_anvil()
        self._refuse_taken_port()
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log or os.devnull, "ab") as output:  # noqa: ASYNC230, PTH123
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [str(binary), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=self._apart,
            )
        try:
            started(self._process.pid)
            await self._ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends anvil with SIGTERM, on which it writes its state file; kills it if that takes over 20 s."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def __aenter__(self) -> AnvilProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _refuse_taken_port(self) -> None:
        if not is_free(self.port):
            raise Fatal(
                f"port {self.port} is already in use",
                remedy="stop what listens there or choose another port",
                code=Exit.PORT_IN_USE,
            )

    async def _ready(self) -> None:
        assert self._process is not None
        endpoint = Endpoint(self.url, timeout=2.0, max_response=_MAX_ANSWER)
        try:
            async with asyncio.timeout(_READY_WITHIN):
                while True:
                    if self._process.poll() is not None:
                        where = f"; see {self._log}" if self._log else ""
                        raise Fatal(
                            f"anvil ended with code {self._process.returncode} at its start{where}",
                            remedy="check its arguments and state file",
                            code=Exit.CHAIN_UNREACHABLE,
                        )
                    try:
                        await endpoint.ask("eth_chainId", [])
                        return
                    except EndpointDown:
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise Fatal(
                f"anvil did not answer within {_READY_WITHIN:g} s on port {self.port}",
                remedy="start it again; if the machine is busy, when it is less so",
                code=Exit.CHAIN_UNREACHABLE,
            ) from None
        finally:
            await endpoint.disconnect()

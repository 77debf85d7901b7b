"""Results that never were, signed as if they had been, and the call that records them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from network import CHAIN_ID, Network

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.contracts.views import Attestation, Result
from jepanet.chain.keys.wallet import Wallet
from jepanet.protocol.documents.typed_data import result_data
from jepanet.types import Digest, RoundId


def word(network: Network, number: int, wallet: Wallet, **changed: Any) -> tuple[Result, bytes]:
    """A result that never was, signed by `wallet` as if it were; `chain_id`: of another chain."""
    chain_id = changed.pop("chain_id", CHAIN_ID)
    made = Result(
        RoundId(number), b"\x01" * 32, Digest(b"\x02" * 32), Digest(b"\x03" * 32), 1, 1000, bytes(32)
    )
    made = replace(made, **changed)
    typed = result_data(
        chain_id, network.deployment.rounds, round_id=made.round_id, root=made.root, model=made.model,
        sheet=made.sheet, payout=made.payout, improvement=made.improvement, extension=made.extension,
    )  # fmt: skip
    return made, wallet.sign_typed(typed)


def recording(rounds: Rounds, number: int, made: Result, *signatures: bytes) -> UnsignedCall:
    words = [Attestation(made.improvement, signature) for signature in signatures]
    return rounds.record_training(
        number, made.root, made.model, made.sheet, made.payout, made.extension, words
    )

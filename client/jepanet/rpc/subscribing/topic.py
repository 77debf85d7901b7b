"""The names of what can be subscribed to, for both sides."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """`rounds`: a round is new, or something of it changed; `scores`: a coordinator's scores of a round
    arrived; `training`: the worker is at another step or job; `transactions`: one of this node's wallet is
    new, or something of it changed; `transfers`: bytes of files came or went, told once a second at most;
    `logs`: the node's log has another line."""

    ROUNDS = "rounds"
    SCORES = "scores"
    TRAINING = "training"
    TRANSACTIONS = "transactions"
    TRANSFERS = "transfers"
    LOGS = "logs"

"""What a demo came to, for programs: one JSON object, and what a good demo must show and this one did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LEAST_PUBLISHED = 2
"""Merges that a demo of as many rounds or more must publish."""


def outcome(report: Mapping[str, Any]) -> dict[str, Any]:
    """The end of a demo, played whole, from its report. Amounts are in 10**-18 tokens, as text.

    score: of the first and the last global model by the recipe's own measure, on all shards unsealed in the
    run and with the first model as the base. `failures` is empty when all is as it should be.
    """
    rounds, progress = report["rounds"], report["progress"]
    escrow = [item["escrow"] for item in rounds if item["phase"] == "settled"]
    first, last = (_known(progress[place:][:1]) for place in (0, -1))
    return {
        "recipe": report["recipe"],
        "family": report["family"],
        "seed": report["seed"],
        "rounds": len(rounds),
        "merges_published": sum(item["published"] for item in rounds),
        "score": {
            "kind": report["score_kind"],
            "first": first,
            "last": last,
            "above": first is not None and last is not None and len(progress) > 1 and last > first,
        },
        "paid": str(sum(int(item["paid"]) for item in escrow)),
        "claimed": str(sum(int(item["claimed"]) for item in escrow)),
        "verification": {name: report["verification"][name] for name in ("round", "agrees")},
        "seconds": report["seconds_total"],
        "failures": failures(report),
    }


def _known(items: list[Mapping[str, Any]]) -> float | None:
    return items[0]["score"] if items else None


def failures(report: Mapping[str, Any]) -> list[str]:
    """What a good demo must show and this one did not."""
    found = []
    rounds = report["rounds"]
    scores = [item["score"] for item in report["progress"]]
    if len(scores) < 2 or not scores[-1] > scores[0]:
        found.append("the last model's held-out score is not above the first's")
    published, least = sum(item["published"] for item in rounds), min(_LEAST_PUBLISHED, len(rounds))
    if published < least:
        found.append(f"{published} merges were published in {len(rounds)} rounds, fewer than {least}")
    for item in rounds:
        found += [
            f"round {item['round']} paid {delta['solver']} without a gain"
            for delta in item["deltas"]
            if int(delta["paid"]) > 0 and delta["gain"] <= 0
        ]
        escrow = item["escrow"]
        if item["phase"] == "settled" and int(escrow["claimed"]) != int(escrow["paid"]):
            found.append(f"round {item['round']}: claimed {escrow['claimed']}, recorded {escrow['paid']}")
    if not any(int(delta["paid"]) > 0 for item in rounds for delta in item["deltas"]):
        found.append("nobody was paid")
    if not report["verification"]["agrees"]:
        found.append("the last round does not verify")
    return found

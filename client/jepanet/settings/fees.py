"""What the operator is willing to pay for gas: the `[chain]` section in wei."""

from __future__ import annotations

from dataclasses import replace

from jepanet.chain.sending.fees import FeePolicy
from jepanet.settings.config import ChainSection

GWEI = 10**9
_MOST_GWEI = 1e9
"""A whole ether per gas: more is no cap, and must not overflow."""


def fee_policy(section: ChainSection) -> FeePolicy:
    """What the operator is willing to pay, from the `[chain]` section; a low cap also caps the tip."""
    usual = FeePolicy()
    cap, least = _wei(section.max_fee_gwei), _wei(section.min_tip_gwei)
    top = max(usual.max_tip, least) if section.max_tip_gwei is None else _wei(section.max_tip_gwei)
    top = min(top, cap)
    return replace(
        usual, max_fee=cap, max_tip=top, min_tip=min(least, top), replace_after=section.stuck_seconds
    )


def _wei(gwei: float) -> int:
    return max(1, int(min(gwei, _MOST_GWEI) * GWEI))

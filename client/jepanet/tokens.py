"""Wei as tokens, for people: 18 decimals, as `settings.terms.wei` reads them."""

from __future__ import annotations

DECIMALS = 18


def tokens(wei: int | str, *, places: int = 6) -> str:
    """Wei as tokens with up to `places` decimals, the rest cut off."""
    whole, rest = divmod(abs(int(wei)), 10**DECIMALS)
    text = f"{whole:,}.{rest:0{DECIMALS}d}"[: len(f"{whole:,}") + 1 + places].rstrip("0").rstrip(".")
    return f"-{text}" if int(wei) < 0 and text != "0" else text


def exact(wei: int | str) -> str:
    """Wei as tokens, not one wei less: for errors, where too little must not look like enough."""
    return tokens(wei, places=DECIMALS)

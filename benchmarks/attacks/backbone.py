"""Attacks on backbones: those on the language model, at the names of a llama's parameters."""

from __future__ import annotations

from attacks.attempt import Attacks, Parts
from attacks.language import OWN as LANGUAGE

PARTS = Parts(norm="encoder.model.norm.", head="encoder.model.norm.")
"""What compares texts is no parameter: the last norm is the last layer that a delta can change."""
OWN: Attacks = LANGUAGE

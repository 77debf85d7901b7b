"""What somebody may want to do by hand with a project, as command lines that can be copied."""

from __future__ import annotations

from jepanet.operations.views.observing import Instruction, ProjectInWhole


def commands_of(project: ProjectInWhole, options: str) -> tuple[Instruction, ...]:
    """For the project's newest settled round. `options` say where the network is."""
    number = project.exported
    if number is None:
        return ()
    return (*commands_of_round(number, options), *_of_model(number, options))


def commands_of_round(round_: int, options: str) -> tuple[Instruction, ...]:
    """For one round with a recorded result."""
    return (
        Instruction(
            "Verify the round: recompute scores, merge and every payment",
            f"jepanet verify {round_} {options}",
            "Fetches what the round names, checks every hash, measures again. Exit code 21 if anything "
            "disagrees. Needs no wallet and no GPU.",
        ),
        Instruction(
            "See every receipt of the round with its sum",
            f"jepanet round show {round_} {options}",
            "The same figures as on this page, without it.",
        ),
    )


def _of_model(round_: int, options: str) -> tuple[Instruction, ...]:
    return (
        Instruction(
            "Download the model",
            f"jepanet model export --round {round_} --out model-round-{round_}.safetensors {options}",
            "One safetensors file; its hash is held against the chain before it is written.",
        ),
        Instruction(
            "Download the model with its card",
            f"jepanet model card {round_} --out models {options}",
            "The model, its measurements, its data, and every step that led to it.",
        ),
    )

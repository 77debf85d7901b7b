"""jepanet: train one model together, by strangers, paid only for measured held-out gain.

What is public from Python is `__all__`; `docs/python.md` shows it. Names are imported when they are first
used: `import jepanet` alone loads nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
"""What type checkers take for true. The module `typing` would take longer to load than all of this."""
if TYPE_CHECKING:
    from jepanet.errors import Fatal, JepanetError, Rejected, Transient
    from jepanet.interface.python.asynchronous import AsyncNetwork, AsyncRound
    from jepanet.interface.python.network import Network, Round, verify
    from jepanet.operations.auditing.failed import AuditFailed
    from jepanet.operations.in_memory.evaluating import Evaluation, evaluate
    from jepanet.operations.in_memory.models import Model, load_model
    from jepanet.operations.in_memory.training import Delta, train
    from jepanet.operations.views.projects import Project
    from jepanet.operations.views.rounds import Commitment, RoundDetails, RoundSummary, Verification

__all__ = [
    "AsyncNetwork",
    "AsyncRound",
    "AuditFailed",
    "Commitment",
    "Delta",
    "Evaluation",
    "Fatal",
    "JepanetError",
    "Model",
    "Network",
    "Project",
    "Rejected",
    "Round",
    "RoundDetails",
    "RoundSummary",
    "Transient",
    "Verification",
    "__version__",
    "evaluate",
    "load_model",
    "train",
    "verify",
]

_PLACES = {
    "jepanet.errors": ("Fatal", "JepanetError", "Rejected", "Transient"),
    "jepanet.interface.python.asynchronous": ("AsyncNetwork", "AsyncRound"),
    "jepanet.interface.python.network": ("Network", "Round", "verify"),
    "jepanet.operations.auditing.failed": ("AuditFailed",),
    "jepanet.operations.in_memory.evaluating": ("Evaluation", "evaluate"),
    "jepanet.operations.in_memory.models": ("Model", "load_model"),
    "jepanet.operations.in_memory.training": ("Delta", "train"),
    "jepanet.operations.views.projects": ("Project",),
    "jepanet.operations.views.rounds": ("Commitment", "RoundDetails", "RoundSummary", "Verification"),
}
"""Where each of them is defined."""


def __getattr__(name: str) -> object:
    for module, names in _PLACES.items():
        if name in names:
            from importlib import import_module

            return globals().setdefault(name, getattr(import_module(module), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

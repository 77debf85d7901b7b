"""Commands that ignore nothing: an option given twice, or a text no command has a use for, is wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")
MOST_CHARACTERS = 4096
"""Of one word of a command line: the longest path a system takes."""


class StrictCommand(click.Command):
    """Click takes the last of several values of an option and says nothing; this refuses the second."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given = [item for item in order if _one_value(item)]
        for option in given:
            if given.count(option) > 1:
                raise click.UsageError(f"{option.opts[0]} is given twice: which one counts?", ctx)
        return super().parse_args(ctx, args)


class StrictGroup(click.Group):
    """A group of such commands."""

    command_class = StrictCommand
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for word in args:
            if len(word) > MOST_CHARACTERS:
                shown = "".join(c if c.isprintable() else "?" for c in word[:20])
                raise click.UsageError(
                    f"{shown!r}… has {len(word)} characters and no argument takes over {MOST_CHARACTERS}", ctx
                )
        return super().parse_args(ctx, args)


def never_both(one: str, other: str, why: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuses two options of a command, by the names of their parameters, where one would be ignored.

    Raises: UsageError when both are given.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*arguments: P.args, **options: P.kwargs) -> R:
            if options[one] and options[other]:
                context = click.get_current_context()
                names = {item.name: item.opts[0] for item in context.command.params}
                raise click.UsageError(f"{names[one]} and {names[other]}: {why}", context)
            return function(*arguments, **options)

        return checked

    return decorate


def _one_value(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not (
        parameter.multiple or parameter.is_flag or parameter.count
    )

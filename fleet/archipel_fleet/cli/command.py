"""How a command is put together: its options as a dataclass, its work as a function of a session, its help with examples.

typer reads a function's signature; here it is made from the fields of the dataclass, so that what all commands share is
written once and a function with ten options still takes one argument.
"""

import dataclasses
import inspect
import os
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import typer

from archipel_fleet.cli import credentials
from archipel_fleet.cli.screen import Screen

if TYPE_CHECKING:
    from archipel_fleet.cli.client import FleetClient

Language = Literal["en", "de"]


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Options of every command."""

    json: Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")] = False
    lang: Annotated[
        Language | None,
        typer.Option("--lang", help="Language of sentences (default: by the locale).", metavar="en|de"),
    ] = None
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--no-color", help="Whether to colour (default: on a terminal, without NO_COLOR)."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Local(Plain):
    """Options of commands that work on the controller's own machine."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="DIRECTORY", help="The controller's data directory, if not the usual one."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Asking(Local):
    """Options of commands that ask a controller."""

    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help=f"The controller's address (default: {credentials.URL_VARIABLE}, or this machine's).",
        ),
    ] = None


O = TypeVar("O", bound=Plain)  # noqa: E741 - the options of the command at hand


class Session(Generic[O]):
    """One run of one command."""

    def __init__(self, options: O) -> None:
        self.options = options
        self.screen = Screen(color=options.color, language=options.lang, as_json=options.json)

    @cached_property
    def client(self) -> "FleetClient":
        """The controller; made when a command first asks it, as its HTTP library takes a while to load."""
        from archipel_fleet.cli.client import FleetClient

        url, data = (getattr(self.options, name, None) for name in ("url", "data"))
        return FleetClient(credentials.find(url, data, os.environ))

    def close(self) -> None:
        """Close what was opened."""
        if "client" in self.__dict__:
            self.client.close()


Work = Callable[[Session[O]], int]


def add(
    app: typer.Typer, word: str, options: type[O], work: Work[O], help: str, *, foreign_options: bool = False
) -> None:
    """Add a command to `app`. The first line of `help` stands in the list of commands, its end shows examples.

    With `foreign_options`, options it does not know are words for somebody else's program.
    """

    def run(**values: Any) -> int:
        session = Session(options(**values))
        try:
            return int(work(session))
        finally:
            session.close()

    hints = typing.get_type_hints(options, include_extras=True)
    # Assigned, as typer asks `inspect` for the signature of what it calls.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # functions may have one, their type does not say so
        [_parameter(field, hints[field.name]) for field in _in_order(options)]
    )
    run.__annotations__ = {}
    settings = {"ignore_unknown_options": True} if foreign_options else {}
    text = inspect.cleandoc(help)
    app.command(word, help=text, short_help=text.splitlines()[0], context_settings=settings)(run)


def _in_order(options: type[Plain]) -> list["dataclasses.Field[Any]"]:
    """Return a command's own fields before those all commands share, for its help."""
    shared = {field.name for field in dataclasses.fields(Asking)}
    found = dataclasses.fields(options)
    return [one for one in found if one.name not in shared] + [one for one in found if one.name in shared]


def _parameter(field: "dataclasses.Field[Any]", hint: Any) -> inspect.Parameter:
    default: Any = inspect.Parameter.empty
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)

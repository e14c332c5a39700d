"""Secrets are asked for, or read from files and standard input: what stands in the list of processes everybody may read."""

import argparse
import re
from collections.abc import Iterator
from typing import Any

import typer

from archipel_agent.cli.completion import parsers
from archipel_fleet.cli.main import application

SECRET = re.compile(r"pass(word|phrase)|secret|token|\bpin\b|recovery|private|credential")
NOT_A_SECRET = re.compile(r"FILE|DIRECTORY")  # its value names where the secret lies


def of_the_agent(made: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (command and option, what stands for its value, whether it takes one) below a parser."""
    for action in made._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from of_the_agent(below, f"{name} {word}")
        for option in action.option_strings:
            yield f"{name} {option}", str(action.metavar or ""), action.nargs != 0


def of_the_fleet(command: Any, name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the same below a command of the fleet."""
    for word, below in getattr(command, "commands", {}).items():
        yield from of_the_fleet(below, f"{name} {word}")
    for one in command.params:
        takes_value = not (getattr(one, "is_flag", False) or getattr(one, "count", False))
        for option in (opt for opt in one.opts if opt.startswith("-")):
            yield f"{name} {option}", str(one.metavar or ""), takes_value


def options() -> list[tuple[str, str, bool]]:
    """Return every option of both programs."""
    agent = [one for word, made in parsers().items() for one in of_the_agent(made, word)]
    return agent + list(of_the_fleet(typer.main.get_command(application()), "fleet"))


def test_no_option_takes_a_secret_as_its_value() -> None:
    found = options()
    assert any("--token-file" in name for name, _, _ in found)  # that is how it is done
    assert any("--passphrase-stdin" in name for name, _, _ in found)
    told = [
        name
        for name, value, takes_value in found
        if takes_value and SECRET.search(name.rpartition(" ")[2]) and not NOT_A_SECRET.search(value)
    ]
    assert told == []

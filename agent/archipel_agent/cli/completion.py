"""`archipel completion`: prints the completion script of a shell, made from the parsers of all commands."""

import argparse
import importlib

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_contract.exits import Exit
from archipel_contract.launcher import COMMANDS

EXAMPLES = """\
  archipel completion bash | sudo tee /etc/bash_completion.d/archipel
  archipel completion zsh > ~/.zfunc/_archipel"""

OWN = "archipel_agent.cli."


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("completion", EXAMPLES, json=False)
    made.add_argument("shell", choices=("bash", "zsh"), help="whose script")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _completion, arguments)


def _completion(session: Session) -> int:
    import shtab  # only this command needs it

    session.screen.line(shtab.complete(whole_parser(), shell=session.options.shell))
    return Exit.OK


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command of this package, by its word."""
    own = {word: module for word, (module, _, _) in COMMANDS.items() if module.startswith(OWN)}
    made: dict[str, argparse.ArgumentParser] = {}
    for word, module in own.items():
        made[word] = parser() if module == __name__ else importlib.import_module(module).parser()
    return made


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser of the whole `archipel`; commands of other packages are in it by name and help only."""
    whole = argparse.ArgumentParser(prog="archipel", add_help=False)
    words = whole.add_subparsers(metavar="COMMAND")
    known = parsers()
    for word, (_, _, summary) in COMMANDS.items():
        parents = [known[word]] if word in known else []
        words.add_parser(word, parents=parents, help=summary, add_help=not parents)
    return whole

"""Reference pages made from the agent itself: every command with its options, every setting.

Called by `docs/generate.py` and by the test that holds the written pages to this. Written from the parsers and not from
their help texts, whose layout differs between versions of Python.
"""

import argparse

from archipel_agent.cli.completion import parsers
from archipel_agent.settings import FILE, PREFIX, Settings
from archipel_contract.launcher import COMMANDS
from archipel_contract.pagework import MADE, settings_page, table


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {"cli.md": cli(), "settings.md": settings()}


def cli() -> str:
    """Return the page of all commands of this package."""
    made = parsers()
    rows = [(f"[`archipel {word}`](#archipel-{word})", summary) for word, (_, _, summary) in COMMANDS.items()]
    parts = [
        MADE,
        "# The command `archipel`\n",
        "The [exit codes](exits.md) are the same for all commands. Answers go to standard output, remarks and (with "
        "`--json`) progress to standard error.\n",
        table(("command", "what it does"), rows),
    ]
    for word, (_, _, summary) in COMMANDS.items():
        parts.append(f"## archipel {word}\n")
        parts.append(_command(made[word]) if word in made else f"{summary[0].upper()}{summary[1:]}.\n")
    return "\n".join(parts)


def _command(made: argparse.ArgumentParser) -> str:
    parts = [f"{made.description}\n"]
    rows = [(_spelled(action), _help(action)) for action in _actions(made)]
    if rows:
        parts.append(table(("option", "meaning"), rows))
    for words in (action for action in made._actions if isinstance(action, argparse._SubParsersAction)):  # noqa: SLF001 - argparse has no public way to its actions
        helps = {choice.dest: choice.help or "" for choice in words._choices_actions}  # noqa: SLF001 - as above
        for word, below in words.choices.items():
            parts.append(f"### {made.prog} {word}\n\n{helps[word][0].upper()}{helps[word][1:]}.\n")
            parts.append(
                table(("option", "meaning"), [(_spelled(one), _help(one)) for one in _actions(below)])
            )
    parts.append(f"```\n{(made.epilog or '').removeprefix('examples:').strip(chr(10))}\n```\n")
    return "\n".join(parts)


def _actions(made: argparse.ArgumentParser) -> list[argparse.Action]:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001 - these two have no public name
    return [action for action in made._actions if not isinstance(action, hidden)]  # noqa: SLF001 - as above


def _spelled(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if not metavar and action.choices is not None:
        metavar = "|".join(str(choice) for choice in action.choices)
    if not action.option_strings:
        return f"`{metavar or action.dest.upper()}`"
    value = "" if action.nargs == 0 else f" {metavar or action.dest.upper()}"
    return f"`{', '.join(action.option_strings)}{value}`"


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def settings() -> str:
    """Return the page of the agent's settings."""
    text = (
        f"Default, then `/etc/archipel/{FILE}`, then the environment, then options of `archipel agent run`: the later one "
        "counts. An unknown key or a value of the wrong type is refused with its place."
    )
    return settings_page("Settings of the agent", text, Settings(), PREFIX)

"""`archipel agent`. Run as systemd runs it, without any option, it loads nothing of the command line.

What a process loads at its start it holds for as long as it lives: here for years.
"""

import sys
from typing import TYPE_CHECKING

from archipel_agent import paths

if TYPE_CHECKING:
    import argparse

RUN = ["run"]


def parser() -> "argparse.ArgumentParser":
    """Return the parser of this command with those of its words."""
    from archipel_agent.cli import agent_words

    return agent_words.parser()


def main(arguments: list[str]) -> int:
    """Run the command."""
    if arguments != RUN:
        from archipel_agent.cli import agent_words

        return agent_words.main(arguments)
    from archipel_agent.cli import agent_run  # loads everything the agent consists of

    try:
        return agent_run.run(paths.here())
    except agent_run.CannotRun as error:
        print(f"archipel agent: {error}", file=sys.stderr)
        return error.code

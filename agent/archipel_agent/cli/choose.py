"""Asks which network interface the node shall use, where there are several and somebody is there to say."""

from archipel_agent.checks.addresses import Choice, candidates
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.follow import Value
from archipel_agent.cli.reader import Reader
from archipel_contract.exits import Exit


def ask_interface(session: Session, asked: Reader) -> dict[str, Value]:
    """Return the options that settle the node's address; nothing where it is settled or there is no choice."""
    if asked.report(False).site is not None:
        return {}
    choices = candidates(asked.facts())
    if len(choices) < 2:
        return {}
    session.screen.line(
        "This machine has several addresses. Which one shall the node use? It stays with the site."
    )
    session.screen.table([[f"{number}", one.interface, one.address] for number, one in enumerate(choices, 1)])
    chosen = _answer(choices)
    return {"interface": chosen.interface, "node_ip": chosen.address}


def _answer(choices: tuple[Choice, ...]) -> Choice:
    while True:
        try:
            said = input(f"Number 1 to {len(choices)} (empty: none, stop here): ").strip()
        except EOFError:
            said = ""
        if not said:
            raise Stop(Exit.REFUSED, "nothing was changed; name the interface with --interface")
        if said.isascii() and said.isdigit() and 1 <= int(said) <= len(choices):
            return choices[int(said) - 1]

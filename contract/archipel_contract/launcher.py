"""The one `archipel` command: a table from word to module, importing only what it runs.

Standard library only, so that `archipel --help` answers at once on a slow machine. Each module named here offers
`main(arguments: list[str]) -> int`, which returns an exit code of `exits.Exit`.
"""

import importlib
import os
import sys

from archipel_contract import __version__
from archipel_contract.exits import Exit

# word -> (module, extra that installs it, help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("archipel_agent.cli.up", "agent", "make this machine a site, or finish what was begun"),
    "status": ("archipel_agent.cli.status", "agent", "what this machine is and how it does"),
    "doctor": ("archipel_agent.cli.doctor", "agent", "run every check and say what to do"),
    "repair": (
        "archipel_agent.cli.repair",
        "agent",
        "what is wrong and can be repaired here, and the repair",
    ),
    "why": ("archipel_agent.cli.why", "agent", "explain a finding: evidence, cause, remedy"),
    "logs": ("archipel_agent.cli.logs", "agent", "log lines of k3s or of the agent, secrets removed"),
    "kubectl": ("archipel_agent.cli.kubectl", "agent", "kubectl of this site's k3s, as administrator"),
    "kubeconfig": ("archipel_agent.cli.kubeconfig", "agent", "the administrator's kubeconfig"),
    "clock": ("archipel_agent.cli.clock", "agent", "how far the clock is trusted, and setting it by hand"),
    "support": ("archipel_agent.cli.support", "agent", "write a support bundle with secrets removed"),
    "bundle": (
        "archipel_agent.cli.bundle",
        "agent",
        "build, check and import bundles: setup without any network",
    ),
    "firewall": (
        "archipel_agent.cli.firewall",
        "agent",
        "what may come in to this machine, and nothing else",
    ),
    "audit": ("archipel_agent.cli.audit", "agent", "who did what on this machine, on site and from afar"),
    "enrol": ("archipel_agent.cli.enrol", "agent", "bring this machine into a fleet, or see how that stands"),
    "backup": (
        "archipel_agent.cli.backup",
        "agent",
        "sealed backups of this site: make, list, verify, practise",
    ),
    "restore": ("archipel_agent.cli.restore", "agent", "make this machine the site of a backup"),
    "answers": ("archipel_agent.cli.answers", "agent", "the answer file by which a machine sets itself up"),
    "adopt": (
        "archipel_agent.cli.adopt",
        "agent",
        "make a k3s that is here already a site, without touching it",
    ),
    "leave": ("archipel_agent.cli.leave", "agent", "give an adopted k3s back as it was"),
    "accept": (
        "archipel_agent.cli.accept",
        "agent",
        "measure this hardware for a pilot, and sign what was found",
    ),
    "down": ("archipel_agent.cli.down", "agent", "stop k3s and its pods; data stays, up starts them again"),
    "remove": (
        "archipel_agent.cli.remove",
        "agent",
        "remove the agent, or everything; shows the choices first",
    ),
    "tui": ("archipel_tui.main", "tui", "the technician's screen"),
    "agent": ("archipel_agent.cli.agent", "agent", "run the agent itself (systemd does this)"),
    "fleet": (
        "archipel_fleet.cli.main",
        "fleet",
        "the fleet: its controller, its sites, who is silent and why",
    ),
    "rehearse": (
        "archipel_agent.cli.rehearse",
        "agent",
        "many simulated sites on a real broker: demo, training, load",
    ),
    "completion": ("archipel_agent.cli.completion", "agent", "completion script for bash or zsh"),
}


def usage() -> str:
    """Return the text of `archipel --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {word:<{width}}  {summary}" for word, (_, _, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: archipel COMMAND [OPTION...]",
            "",
            "Archipel makes this machine a small Kubernetes cloud (k3s) and says how it does.",
            "",
            "commands:",
            *lines,
            "",
            "A first site:   archipel up        then   archipel status",
            "Something off:  archipel doctor    then   archipel why CODE",
            "Every command takes --help; most take --json. Exit codes: 0 good, 1 not good, 2 usage, 3 refused,",
            "4 failed, 5 agent away, 6 not permitted, 7 busy, 8 cancelled.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run `archipel ARGUMENTS` and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return Exit.OK if words else Exit.USAGE
    if words[0] in ("-V", "--version", "version"):
        print(f"archipel {__version__}")
        return Exit.OK
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    module, extra, _ = COMMANDS[words[0]]
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:
        return _missing(words[0], extra, error)
    try:
        code = int(command.main(words[1:]))
        sys.stdout.flush()
    except BrokenPipeError:
        _mute()
        return Exit.OK
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the terminal shows ^C at the end of an unfinished line
        return Exit.INTERRUPTED
    return code


def _mute() -> None:
    """Send the rest of our output nowhere: its reader went away (`| head`), and there is nobody to tell."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _unknown(word: str) -> int:
    near = [name for name in COMMANDS if word and name.startswith(word[:2])]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    print(f"archipel: there is no command {word!r}. {hint}See archipel --help.", file=sys.stderr)
    return Exit.USAGE


def _missing(word: str, extra: str, error: ModuleNotFoundError) -> int:
    print(
        f"archipel {word} needs the part {extra!r}, which is not installed here ({error}).\n"
        f"Install it with: pip install 'archipel[{extra}]'",
        file=sys.stderr,
    )
    return Exit.USAGE


if __name__ == "__main__":
    sys.exit(main())

"""`archipel kubectl`: becomes the kubectl of this site's k3s, with the administrator's kubeconfig."""

import argparse
import os
import shutil
from pathlib import Path

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_contract.client import AgentAway, ApiRefused
from archipel_contract.exits import Exit

EXAMPLES = """\
  sudo archipel kubectl get pods --all-namespaces
  sudo archipel kubectl logs -n kube-system deploy/coredns
  archipel kubectl help              what kubectl itself offers"""

ASK_SECONDS = 2.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command, for help and completion; words behind it belong to kubectl."""
    made = argparse.ArgumentParser(
        prog="archipel kubectl",
        description="kubectl of this site's k3s, as administrator. All arguments go to kubectl as they stand.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    made.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="what kubectl shall do")
    return made


def main(arguments: list[str]) -> int:
    """Run the command; returns only when kubectl cannot be started."""
    if arguments in ([], ["-h"], ["--help"]):
        parser().print_help()
        return Exit.OK
    plain = argparse.ArgumentParser(prog="archipel kubectl")
    command.common(plain)
    return command.run(plain, lambda session: become(session, arguments), [])


def become(session: Session, arguments: list[str]) -> int:
    """Become kubectl."""
    kubeconfig = session.paths.kubeconfig
    try:
        with kubeconfig.open("rb"):
            pass
    except FileNotFoundError:
        raise Stop(
            Exit.NOT_OK, f"there is no {kubeconfig}: k3s has not been set up here. See archipel status."
        ) from None
    except PermissionError:
        raise Stop(Exit.NOT_PERMITTED, f"{kubeconfig} belongs to root: use sudo archipel kubectl") from None
    from archipel_agent.host.run import (
        replace_process,  # the door to processes is loaded only to go through it
    )

    replace_process([str(_k3s(session)), "kubectl", *arguments], {"KUBECONFIG": str(kubeconfig)})
    raise Stop(Exit.FAILED, "k3s could not be started")


def _k3s(session: Session) -> Path:
    """Return the site's k3s: as the agent says, else where we would install it, else the one on PATH."""
    try:
        site = session.client.call("site", timeout=ASK_SECONDS)
        if os.access(site.k3s.path, os.X_OK):
            return Path(site.k3s.path)
    except (AgentAway, ApiRefused):
        pass  # kubectl must work without the agent: it is what one takes when nothing else does
    ours = session.paths.k3s_binary
    found = str(ours) if os.access(ours, os.X_OK) else shutil.which("k3s")
    if found is None:
        raise Stop(Exit.NOT_OK, f"there is no k3s at {ours} nor on PATH. See archipel status.")
    return Path(found)

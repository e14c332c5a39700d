"""`archipel kubeconfig`: prints the administrator's kubeconfig, for use from another machine with another address."""

import argparse
import re
from urllib.parse import urlsplit

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_contract.api import Kubeconfig
from archipel_contract.client import AgentAway, NotAdmitted
from archipel_contract.exits import Exit

EXAMPLES = """\
  sudo archipel kubeconfig
  sudo archipel kubeconfig --server 192.168.4.27 > site.yaml
  sudo archipel kubeconfig --server https://edge-07.example.com:6443"""

PORT = 6443
SERVER = re.compile(r"^(\s*server:\s*)\S+[ \t]*$", re.MULTILINE)


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("kubeconfig", EXAMPLES)
    made.add_argument(
        "--server", type=address, metavar="ADDRESS", help="address of this node as seen from there"
    )
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _kubeconfig, arguments)


def address(text: str) -> str:
    """Return the URL for `host`, `host:port`, an IPv6 address or a URL; raise what argparse shows."""
    bare = f"[{text}]" if text.count(":") > 1 and "[" not in text and "//" not in text else text
    parts = urlsplit(bare if "//" in bare else f"https://{bare}")
    try:
        port = parts.port or PORT
    except ValueError:
        port = 0
    if (
        parts.scheme != "https"
        or not parts.hostname
        or not port
        or re.search(r"\s", text)
        or parts.path.strip("/")
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is neither HOST, HOST:PORT nor https://HOST:PORT")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}:{port}"


def _kubeconfig(session: Session) -> int:
    found = _read(session)
    if session.options.server:
        content = SERVER.sub(lambda match: match[1] + session.options.server, found.content)
        found = Kubeconfig(path=found.path, content=content)
    session.screen.note("Whoever has this file is administrator of the site. Keep it like a key.")
    if session.screen.as_json:
        session.screen.data(found)
    else:
        session.screen.out.write(found.content)
        session.screen.out.flush()
    return Exit.OK


def _read(session: Session) -> Kubeconfig:
    try:
        answer: Kubeconfig = session.client.call("kubeconfig")
        return answer
    except NotAdmitted:
        raise
    except AgentAway:
        path = session.paths.kubeconfig
    try:
        return Kubeconfig(path=str(path), content=path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Stop(
            Exit.NOT_OK, f"there is no {path}: k3s has not been set up here. See archipel status."
        ) from None
    except PermissionError:
        raise Stop(Exit.NOT_PERMITTED, f"{path} belongs to root: use sudo archipel kubeconfig") from None

"""The test ground by hand: `python -m tests.hosts requirements | image | booted | plain | list | clean`.

For a person who wants a throw-away host: `booted` and `plain` open a shell in a fresh one, or run the words
that follow, and take the host away when that ends. With `--k3s` the host gets k3s, its images and the
settings it needs, with `--archipel` the product of this checkout.
"""

import argparse
import sys

from tests.hosts import clean, image, requirements, shell, wheels
from tests.hosts.booted import BootedHost
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.places import runs
from tests.hosts.plain import PlainHost


def main(words: list[str]) -> int:
    """Do what the first word says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hosts", description="Throw-away hosts on this machine."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("requirements", help="what this machine has, and what is missing")
    verbs.add_parser("image", help="build the image of a booted host, if the cache has none")
    verbs.add_parser("wheels", help="collect the product's wheels, if the cache has none")
    verbs.add_parser("list", help="directories of hosts that are up or were left behind")
    cleaning = verbs.add_parser("clean", help="remove what earlier runs left behind")
    cleaning.add_argument("--cache", action="store_true", help="images and wheels too")
    for verb, text in (("booted", "a Debian host under systemd"), ("plain", "a light host without systemd")):
        starting = verbs.add_parser(verb, help=f"{text}: a shell in it, or the command that follows")
        starting.add_argument(
            "--k3s", action="store_true", help="with k3s, its images and the settings it needs"
        )
        starting.add_argument("--archipel", action="store_true", help="with the product installed")
        starting.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(words)
    if chosen.verb in ("booted", "plain"):
        return visit(chosen)
    for line in report(chosen):
        print(line)
    return 0


def report(chosen: argparse.Namespace) -> list[str]:
    """The verbs that only print."""
    if chosen.verb == "requirements":
        return [f"{name}: {missing or 'yes'}" for name, missing in requirements.report()]
    if chosen.verb == "image":
        return [str(image.ensure())]
    if chosen.verb == "wheels":
        return [str(wheels.collect())]
    if chosen.verb == "list":
        left = clean.stale()
        return [f"{path}{' (left behind)' if path in left else ''}" for path in sorted(runs().iterdir())]
    lines = clean.clean()
    return lines + (clean.clean_cache() if chosen.cache else [])


def visit(chosen: argparse.Namespace) -> int:
    """A host for as long as a shell or a command runs in it."""
    missing = (
        requirements.missing_for_booted() if chosen.verb == "booted" else requirements.missing_for_plain()
    )
    if missing:
        print(missing, file=sys.stderr)
        return 1
    with Lab() as lab:
        made: Host = BootedHost("edge", lab) if chosen.verb == "booted" else PlainHost("light", lab)
        with made as host:
            if chosen.k3s:
                host.offer_k3s()
                host.offer_images()
                host.allow()
            if chosen.archipel:
                print(host.install_archipel().ok().stdout)
            return shell.attach(host.command(chosen.command or ["bash", "-l"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Sentences of the catalogue made ready for a page: the command at their end set apart, missing values left out.

Called by the other views.
"""

import re
from dataclasses import dataclass

# What a command of a remedy or a runbook begins with; the catalogue's own test knows the same ones.
_PROGRAMS = (
    "archipel|cat|df|docker|dpkg|echo|findmnt|free|getenforce|grep|ip|journalctl|k3s|ls|mosquitto_sub|nproc|ps|psql|"
    "sha256sum|sudo|ss|systemctl|timedatectl|top|uname"
)
_COMMAND = re.compile(rf"^(?P<text>.*: )(?P<command>(?:{_PROGRAMS})(?: .*)?)$", re.DOTALL)
_MISSING = re.compile(r"\?[a-z_]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and the command it ends with, if it does."""

    text: str
    command: str = ""


def sentence(text: str) -> Sentence:
    """Return `text` with its command set apart."""
    found = _COMMAND.match(text)
    return Sentence(found["text"].rstrip(), found["command"]) if found else Sentence(text)


def without_values(title: str) -> str:
    """Return a finding's title for a place that does not know its parameters: `Disk space is getting low`."""
    shortened = _MISSING.sub("…", title)
    return re.sub(r"\s*[:(,]\s*…\s*\)?$", "", shortened)


def short_system(name: str) -> str:
    """Return an operating system's name for a narrow column: `Debian 12 (bookworm)`."""
    return name.replace(" GNU/Linux", "")

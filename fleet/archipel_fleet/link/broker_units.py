"""systemd units that keep a broker's files up to date by themselves: who is admitted, who is revoked.

Generated text only; `archipel fleet broker config --systemd` hands it out. The embedded broker needs none of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SERVICE = "archipel-broker-list.service"
TIMER = "archipel-broker-list.timer"
_PLAIN = re.compile(r"[A-Za-z0-9@+=:,./_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What is to be done again and again."""

    command: Sequence[str]  # writes the files anew; its first word is an absolute path
    files: Path  # the directory it writes
    data: Path  # the controller's data directory: registry and keys
    owner: str  # account the data directory belongs to
    broker: str  # account the broker runs as
    unit: str  # the broker's own unit
    is_local: (
        bool  # whether the registry lies in the data directory, and not with a database of another machine
    )


def service(upkeep: Upkeep) -> str:
    """Return the unit that does it once."""
    network = (
        "# The registry is a file of the data directory, so nothing is to be said to anybody.\nPrivateNetwork=yes\n"
        if upkeep.is_local
        else ""
    )
    files = _word(str(upkeep.files))
    return _SERVICE.format(
        command=" ".join(map(_word, upkeep.command)),
        files=files,
        data=_word(str(upkeep.data)),
        owner=upkeep.owner,
        broker=upkeep.broker,
        unit=upkeep.unit,
        network=network,
    )


def timer() -> str:
    """Return the unit that has it done every two minutes."""
    return _TIMER


def _word(text: str) -> str:
    """Return one word of a command line or one path as systemd reads it: nothing in it is a specifier or a variable."""
    text = text.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_SERVICE = """\
# Writes anew what the broker reads (who is admitted, who is revoked, its certificate), and has it read that.
[Unit]
Description=Who may come in at the broker of an Archipel fleet
# Once the broker runs: before that there is nobody to read it.
After={unit}

[Service]
# Done when it has ended, so that whoever starts it by hand knows that the broker has the new list.
Type=oneshot
# Whose registry and keys they are: files it makes there must stay the controller's.
User={owner}
# Between two runs the files are the broker's; to be written anew they must be this account's. `+`: with root's rights.
ExecStartPre=+/bin/chown -R {owner}: {files}
ExecStart={command}
# The broker alone reads them, the key of its certificate is among them.
ExecStartPost=+/bin/chown -R {broker}: {files}
# A list it has not read counts for nothing. A broker that is stopped on purpose stays stopped, and reads it when it starts.
ExecStartPost=+/bin/systemctl try-reload-or-restart {unit}
# A database that hangs must not keep the next run from coming.
TimeoutStartSec=2min

# Nothing is written but the broker's files and, when a certificate is renewed, the controller's.
ProtectSystem=strict
ReadWritePaths={files} {data}
# Homes are looked into only where the data directory lies in one, which the line above allows.
ProtectHome=read-only
# Nobody else sees what it has there for a moment.
PrivateTmp=yes
# No more rights than it begins with.
NoNewPrivileges=yes
# No devices are needed.
PrivateDevices=yes
{network}"""

_TIMER = """\
# How soon a broker of one's own learns who was revoked, and which key a device has now.
[Unit]
Description=Who may come in at the broker of an Archipel fleet, every two minutes

[Timer]
# Soon after the machine has started: the list may be as old as the outage was long.
OnBootSec=1min
# After each run has ended, so that two never overlap. `systemctl start archipel-broker-list` does it at once.
OnUnitInactiveSec=2min
# The usual minute of slack would make it three.
AccuracySec=10s

[Install]
# With all other timers.
WantedBy=timers.target
"""

"""For whom this site's backups are sealed: the owner's recovery keys, and those of the fleet the machine belongs to.

The owner's public halves stand in the settings and in a file beside them; the fleet's in the trust document, which its roots
have signed.
"""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import Paths, identity_of
from archipel_agent.ports import Disk, Files
from archipel_contract.trust.sealing import RecipientInvalid, checked_recipient


@dataclass(frozen=True, slots=True)
class Recipients:
    """Public halves of recovery keys (age1...), each once."""

    owner: tuple[str, ...] = ()
    fleet: tuple[str, ...] = ()  # but for those that are the owner's, too

    @property
    def all(self) -> tuple[str, ...]:
        """Everybody a backup is sealed for."""
        return (*self.owner, *self.fleet)


def recipients_file(paths: Paths) -> Path:
    """Return the file to which `archipel backup key` adds, one recipient a line, as `age -R` reads it."""
    return paths.settings / "backup-recipients.txt"


def known_recipients(setting: str, paths: Paths, disk: Files) -> Recipients:
    """Return the owner's recipients and the fleet's; raise RecipientInvalid with the place, OSError."""
    owner = read_recipients(setting, paths, disk)
    return Recipients(owner, tuple(one for one in fleet_recipients(paths, disk) if one not in owner))


def read_recipients(setting: str, paths: Paths, disk: Files) -> tuple[str, ...]:
    """Return each recipient of the owner once, in order; raise RecipientInvalid with the place, OSError."""
    found = {checked_recipient(word): None for word in setting.split(",") if word.strip()}
    file = recipients_file(paths)
    if disk.exists(file):
        for number, line in enumerate(disk.read(file).decode(errors="replace").splitlines(), 1):
            word = line.strip()
            if word and not word.startswith("#"):
                try:
                    found[checked_recipient(word)] = None
                except RecipientInvalid as error:
                    raise RecipientInvalid(f"{file}, line {number}: {error}") from error
    return tuple(found)


def fleet_recipients(paths: Paths, disk: Files) -> tuple[str, ...]:
    """Return the recipients of the fleet whose trust document is in force here; none without a fleet.

    The roots' signatures are looked at again each time. Raises RecipientInvalid for a document or a recipient that cannot be
    used: a backup that silently lacks the fleet's key would be found out on the day it is needed.
    """
    identity = identity_of(paths)
    if not disk.exists(identity.trust) or disk.exists(identity.left):
        return ()
    from archipel_contract.link.envelope import EnvelopeInvalid, frame_from  # noqa: PLC0415 - only with a fleet
    from archipel_contract.trust.store import TrustStore  # noqa: PLC0415 - as above

    try:
        document = TrustStore.first(frame_from(disk.read(identity.trust))).document
        return tuple(dict.fromkeys(map(checked_recipient, document.recovery)))
    except EnvelopeInvalid as error:
        raise RecipientInvalid(f"the fleet's trust document, {identity.trust}: {error}") from error
    except RecipientInvalid as error:
        raise RecipientInvalid(f"the fleet's recovery recipient: {error}") from error


def add_recipient(recipient: str, remark: str, paths: Paths, disk: Disk) -> None:
    """Add one to the owner's file, if it is not there yet; raise RecipientInvalid, OSError."""
    known = read_recipients("", paths, disk)
    if checked_recipient(recipient) in known:
        return
    file = recipients_file(paths)
    before = disk.read(file).decode(errors="replace") if disk.exists(file) else ""
    lines = before if not before or before.endswith("\n") else before + "\n"
    disk.write(file, f"{lines}# {remark}\n{recipient}\n".encode(), 0o600)

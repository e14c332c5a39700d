"""Puts what an answer file says where it belongs: settings, the clock, time servers, the token. Part of `carrying`.

After this nothing of the file is needed but where the bundle lies, so that its secrets can be blanked and the stick pulled.
"""

from dataclasses import replace

from archipel_agent.answers import course, settings_file
from archipel_agent.answers.reading import Reading
from archipel_agent.answers.record import Record
from archipel_agent.answers.schema import FIELDS
from archipel_agent.answers.telling import Telling
from archipel_agent.host.clock import text
from archipel_agent.paths import time_servers, token_file
from archipel_agent.ports import CommandFailed
from archipel_agent.settings import FILE
from archipel_contract.answers import Deed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

TOKEN_MODE = 0o600
SETTINGS_MODE = 0o644
PRIVATE_MODE = 0o600  # of settings that hold a password


class Handing(Telling):
    """See the module."""

    def prepare(self, reading: Reading) -> Record:
        """Return the record that says what will be written, so that after a cut it is known as ours."""
        wanted = self._wanted(reading)
        joining = self._joining(reading)
        written = {
            key: [*self.record.written.get(key, []), *([wanted[key]] if key in wanted else [])][-2:]
            for key in {*self.record.written, *wanted}
        }
        self.record = replace(
            self.record, written=written, leaves_token=self.record.leaves_token or bool(joining.link)
        )
        return self.record

    def hand_over(self, reading: Reading) -> bool:
        """Put settings, clock, time servers and token where they belong; return whether the agent has to begin again."""
        joining = self._joining(reading)
        changed = self._settings(reading)
        self._clock(reading)
        self._servers(reading)
        for one in joining.findings:
            self.find(one)
        if joining.link:
            try:
                disk, path = self._parts.ports.disk, token_file(self._parts.paths)
                disk.write(path, f"{joining.link}\n".encode(), TOKEN_MODE)
            except (OSError, CommandFailed) as error:
                self.find(_unkept(reading.file, error))
                joining = replace(joining, link="", waits=False)
            else:
                self.did(Deed.TOKEN, joining.link.partition("#")[0].rstrip("/"))
        self.record = replace(self.record, is_handed_over=True, waits_for_fleet=joining.waits)
        return changed or bool(joining.link)

    def _joining(self, reading: Reading) -> course.Joining:
        was_left = self.record.leaves_token and not self.record.is_handed_over
        return course.joining(reading.values, self.record.before, self._parts.enrolment(), was_left)

    def _wanted(self, reading: Reading) -> dict[str, str | float]:
        """Return the settings the file asks for; what has been blanked in it stays as it was."""
        held = {FIELDS[key].setting for key in reading.used} & set(self.record.written)
        before = {name: self.record.written[name][-1] for name in held if self.record.written[name]}
        return before | course.settings(reading.values)

    def _settings(self, reading: Reading) -> bool:
        wanted = self._wanted(reading)
        if not wanted and not self.record.written:
            return False
        path, disk = self._parts.paths.settings / FILE, self._parts.ports.disk
        try:
            before = disk.read(path).decode() if disk.exists(path) else ""
            merged = settings_file.merge(before, wanted, self.record.written)
            if merged.text != before:
                private = any("@" in str(value) for value in merged.written.values())
                mode = PRIVATE_MODE if private else disk.mode(path) or SETTINGS_MODE
                disk.write(path, merged.text.encode(), mode)
        except (settings_file.Unreadable, OSError, UnicodeDecodeError, CommandFailed) as error:
            self.find(_unkept(reading.file, error))
            return False
        for key, (asked, kept) in merged.kept.items():
            shown = {"key": key, "asked": str(asked), "kept": str(kept)}
            self.find(finding("answers-setting-kept", (), None, file=reading.file, **shown))
        self.record = replace(self.record, written={key: [value] for key, value in merged.written.items()})
        if merged.written:
            self.did(Deed.SETTINGS, ", ".join(merged.written))
        return merged.text != before

    def _clock(self, reading: Reading) -> None:
        at = course.not_before(reading.values)
        if at is None or self._parts.ports.clock.now() >= at:
            return
        at = max(at, self._parts.time())  # what this machine has seen may be later still
        problem = self._parts.set_clock(at)
        if problem:
            self.find(finding("answers-clock-not-set", problem=problem))
        else:
            self.did(Deed.CLOCK, text(at))

    def _servers(self, reading: Reading) -> None:
        servers = reading.values.get("time.servers")
        if not isinstance(servers, list) or not servers:
            return
        path, ports = time_servers(self._parts.paths), self._parts.ports
        said = f"# Written from archipel.toml.\n[Time]\nNTP={' '.join(servers)}\n".encode()
        try:
            if not ports.disk.exists(path) or ports.disk.read(path) != said:
                ports.disk.write(path, said)
                ports.runner.run(["systemctl", "try-restart", "systemd-timesyncd.service"])
        except (OSError, CommandFailed) as error:
            self.find(finding("answers-clock-not-set", problem=str(error)[:200]))
        else:
            self.did(Deed.TIME_SERVERS, ", ".join(servers))


def _unkept(file: str, error: Exception) -> Finding:
    problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return finding("answers-settings-unusable", problem=problem[:200], file=file)

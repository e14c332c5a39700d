"""Keeps the answers: finds a file that is new, has it carried out, and says how that stands. Called by `answering`.

A file is new when its place holds other bytes than were last handled there and than those in force, so that nothing is
applied twice and nothing has to be asked. New files that differ are refused together. While a boot partition is still
missing that the machine says it has, nothing is concluded from what lies elsewhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from archipel_agent.answers import beside, reading
from archipel_agent.answers.carrying import Carrying
from archipel_agent.answers.parts import Parts
from archipel_agent.answers.places import candidates
from archipel_agent.answers.reading import Reading
from archipel_agent.answers.record import Record, keep, recall
from archipel_agent.answers.schema import FIELDS
from archipel_agent.answers.text import MOST
from archipel_agent.host.clock import text
from archipel_agent.ports import Mark, MissingBoot
from archipel_contract.answers import AnswersState, AnswersStatus, Deed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

BOOT_PATIENCE = (
    180.0  # seconds from our start; systemd waits 90 for a device, and slow cards need more than half of it
)
BESIDE_EVERY = 600.0  # between two tries to write to a medium that takes nothing


class Keeper:
    """See the module."""

    def __init__(self, parts: Parts) -> None:
        """Read what was kept; nothing is done before the first `look`."""
        self._parts = parts
        self._carrying = Carrying(parts, recall(parts.store))
        self._began = parts.ports.clock.monotonic()
        self._refused: tuple[Finding, ...] = ()
        self._refused_marks: Mapping[str, Mark] = {}
        self._refused_files: tuple[Reading, ...] = ()
        self._missing: MissingBoot | None = None
        self._beside_at = 0.0
        self._trouble: tuple[Finding, ...] = ()  # of the medium, for as long as this agent runs

    @property
    def record(self) -> Record:
        """What is remembered."""
        return self._carrying.record

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do though no file changes."""
        record = self.record
        under_way = bool(record.files) and not (record.is_over and record.is_beside)
        return under_way or self._is_waiting()

    def look(self) -> None:
        """Do what is due; returns soon."""
        self._missing = self._parts.media.missing_boot()
        if not self._is_waiting():
            self._see()
        if self.record.files and not (self.record.is_over and self.record.is_beside):
            self._carry_on()

    def apply(self, path: Path) -> AnswersStatus:
        """Apply a file that a person names, whatever was applied before; return how it stands."""
        read = self._read(path)
        if isinstance(read, Reading) and not read.mistakes:
            self._begin((read,), by_hand=True)
            self._carry_on()
            return self.status()
        found = read.mistakes if isinstance(read, Reading) else (read,)
        return AnswersStatus(state=AnswersState.REFUSED, file=str(path), findings=found)

    def status(self) -> AnswersStatus:
        """Return how it stands, with what stands in the way of it."""
        status = self.record.status
        if self._refused:
            files = ", ".join(one.file for one in self._refused_files)
            status = replace(
                status, state=AnswersState.REFUSED, file=files or status.file, findings=self._refused
            )
        elif self._is_waiting() and not self.record.files:
            status = replace(status, state=AnswersState.WAITING)
        gone: tuple[Finding, ...] = ()
        if self._missing is not None and not self._is_waiting():
            shown = {"place": str(self._missing.place), "says": self._missing.says}
            gone = (finding("answers-boot-missing", (), None, **shown),)
        return replace(status, findings=(*status.findings, *self._trouble, *gone))

    # --- finding -----------------------------------------------------------------------------------------------------

    def _is_waiting(self) -> bool:
        now = self._parts.ports.clock.monotonic()
        return self._missing is not None and now - self._began < BOOT_PATIENCE

    def _see(self) -> None:
        """Look for files that are new, and begin with them or refuse them."""
        marks = self._marks()
        if self._refused and marks == self._refused_marks:
            return
        fresh: list[Reading] = []
        wrong: list[Finding] = []
        for path in map(Path, marks):
            read = self._read(path)
            if not isinstance(read, Reading):
                wrong.append(read)
            elif self._is_new(read):
                fresh.append(read)
            elif read.secrets and read.sha256 == self.record.sha256:
                self._is_back(read)
        wrong += [one for read in fresh for one in read.mistakes]
        if not wrong and len({read.sha256 for read in fresh}) > 1 and not _agree(fresh):
            wrong.append(finding("answers-differ", files=", ".join(read.file for read in fresh)))
        if wrong:
            self._refuse(tuple(wrong), tuple(fresh), marks)
            return
        self._refused, self._refused_files = (), ()
        if fresh:
            self._begin(tuple(fresh))

    def _marks(self) -> dict[str, Mark]:
        media = self._parts.media
        found = candidates(self._parts.paths, self._parts.settings, media.mounts())
        return {str(path): mark for path in found if (mark := media.mark(path)) is not None}

    def _read(self, path: Path) -> Reading | Finding:
        mark = self._parts.media.mark(path)
        if mark is not None and mark[0] > MOST:
            return finding("answers-too-large", file=str(path), most=f"{MOST >> 10} KiB")
        try:
            return reading.read(str(path), self._parts.ports.disk.read(path))
        except OSError as error:
            return finding("answers-unreadable", file=str(path), problem=error.strerror or str(error))

    def _is_new(self, read: Reading) -> bool:
        record = self.record
        return read.sha256 not in (record.sha256, record.blanked, record.seen.get(read.file))

    def _is_back(self, read: Reading) -> None:
        """The medium of the file in force was pulled before its secrets were blanked, and is there again."""
        record = self.record
        if record.is_handed_over and record.is_beside:
            self._carrying.record = replace(record, files=(read.file,), is_beside=False)

    def _refuse(self, wrong: tuple[Finding, ...], files: tuple[Reading, ...], marks: dict[str, Mark]) -> None:
        self._refused, self._refused_marks, self._refused_files = wrong, marks, files
        self._parts.note("answers", "refused", ", ".join(one.code for one in wrong)[:200])
        for read in files:
            status = AnswersStatus(
                state=AnswersState.REFUSED,
                file=read.file,
                sha256=read.sha256,
                since=self._now(),
                findings=wrong,
            )
            beside.lay(self._parts, Path(read.file).parent, status, self._language())

    # --- carrying out ------------------------------------------------------------------------------------------------

    def _begin(self, files: tuple[Reading, ...], by_hand: bool = False) -> None:
        """Begin with one file, or several equal ones; what was in force before is remembered for comparison."""
        first, before = files[0], self.record
        status = AnswersStatus(
            state=AnswersState.WORKING,
            file=first.file,
            sha256=first.sha256,
            since=self._now(),
            values=first.shown,
            waits_for=(Deed.UP,),
            findings=first.remarks,
        )
        record = Record(
            run=before.run + 1,
            files=tuple(one.file for one in files),
            sha256=first.sha256,
            values={key: value for key, value in first.values.items() if not _is_secret(first, key)},
            before=before.values if before.is_handed_over else before.before,
            written=before.written,
            seen={**before.seen, **{one.file: one.sha256 for one in files}},
            status=status,
        )
        self._parts.note("answers", "given" if by_hand else "found", first.file)
        self._refused, self._trouble = (), ()
        self._carrying = Carrying(self._parts, record)
        self._keep()

    def _carry_on(self) -> None:
        carrying = self._carrying
        again = False
        if not self.record.is_handed_over:
            read = self._read(Path(self.record.files[0]))
            if not isinstance(read, Reading) or read.sha256 != self.record.sha256:
                return  # pulled before it was read to its end: it is new when it comes back
            carrying.prepare(read)
            self._keep()
            again = carrying.hand_over(read)
            self._keep()
        if not again:  # else the new agent goes on, with the settings that the site may need
            carrying.go_on()
        carrying.settle()
        self._beside()
        self._keep()
        if again:
            self._parts.begin_again()

    def _beside(self) -> None:
        """Blank what is used, and lay the result beside the file."""
        record, parts = self.record, self._parts
        now = parts.ports.clock.monotonic()
        if record.is_beside or (self._trouble and now < self._beside_at):
            return
        there, trouble = self._blank()
        if there and trouble is None:
            trouble = beside.lay(parts, Path(there).parent, self.record.status, self._language())
        self._trouble = (trouble,) if trouble is not None else ()
        self._beside_at = now + BESIDE_EVERY
        self._carrying.record = replace(self.record, is_beside=trouble is None)

    def _blank(self) -> tuple[str, Finding | None]:
        """Blank the secrets wherever the file lies; return the first of those places, and what was in the way."""
        there = ""
        for file in self.record.files:
            after, trouble = beside.blank(self._parts, Path(file), (self.record.sha256, self.record.blanked))
            if trouble is not None:
                return file, trouble
            there = there or (file if after else "")
            if after not in ("", self.record.sha256, self.record.blanked):
                seen = {**self.record.seen, file: after}
                self._carrying.record = replace(self.record, blanked=after, seen=seen)
                self._carrying.did(Deed.BLANKED)
                self._keep()
        return there, None

    def _keep(self) -> None:
        record = self.record
        calm = record.is_over and record.is_beside and not self._refused and self._missing is None
        keep(self._parts.store, record, self._marks() if calm else None)

    def _language(self) -> str:
        return str(self.record.values.get("site.language", self._parts.settings.language))

    def _now(self) -> str:
        return text(self._parts.time())


def _agree(files: list[Reading]) -> bool:
    """Whether files that are not the same bytes say the same."""
    return all(one.values == files[0].values for one in files)


def _is_secret(read: Reading, key: str) -> bool:
    return reading.is_secret(FIELDS[key], read.values[key])

"""Carries out one answer file, a step at a time, through the doors a person would use; resumes after a cut anywhere.

Each step brings about a state and is kept before the next begins. `handing` has put what is secret where it belongs, so that
the medium may be pulled from then on; then the site is set up, again and again until it stands, for nobody is there to ask
twice.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from archipel_agent.answers import course
from archipel_agent.answers.handing import Handing
from archipel_agent.answers.parts import Busy, OptionRefused, Parts
from archipel_agent.answers.record import Record
from archipel_agent.checks.fixes import FIXES
from archipel_contract.answers import Deed
from archipel_contract.catalogue import finding
from archipel_contract.jobs import Job, JobState, Verb
from archipel_contract.status import Membership

FIRST_WAIT, LONGEST_WAIT = 15.0, 900.0  # between two tries of `up`, doubled each time
CLOCK_SET = timedelta(minutes=1)  # more than time servers put right by degrees
OURS = "answers-"
NOT_YET = "answers-up-failed"


class Carrying(Handing):
    """The carrying out of one record."""

    def __init__(self, parts: Parts, record: Record) -> None:
        super().__init__(parts, record)
        self._next_at = 0.0
        self._pulse: object = None
        self._started: datetime | None = None  # when the clock says this machine was started

    def go_on(self) -> None:
        """See how far the site and the membership have come, and do what is due."""
        if not self.record.is_up:
            self._up()
        if self.record.waits_for_fleet:
            status = self._parts.enrolment()
            if status.state is Membership.ENROLLED:
                self.record = replace(self.record, waits_for_fleet=False)
                self.did(Deed.ENROLLED, status.fleet)

    def _up(self) -> None:
        parts, record = self._parts, self.record
        if record.tries:
            job = parts.store.job_with_key(self._key(record.tries))
            if job is not None and not job.is_over:
                return
            if job is not None and self._ended(job):
                return
            if not self._is_due():
                return
        if self._was_overruled():
            self.find(finding("answers-stopped"))
            self.record = replace(self.record, is_up=True)
            return
        directory = Path(record.files[0]).parent
        wish = course.wish(record.values, record.before, directory, parts.store.site())
        if record.tries == 0:
            for one in wish.findings:
                self.find(one)
        if wish.options is None:
            self._stands(bool(record.tries))
            return
        self._start(wish.options)

    def _start(self, options: course.Options) -> None:
        try:
            self._parts.start(Verb.UP, options, self._key(self.record.tries + 1))
        except Busy:
            return
        except OptionRefused as error:
            self.find(finding("answers-up-refused", problem=str(error)))
            self.record = replace(self.record, is_up=True)
            return
        self.record = replace(self.record, tries=self.record.tries + 1)
        self._pulse, self._started = self._parts.ports.machine.pulse(), self._start_of_machine()
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self.record.tries - 1, 10))
        self._next_at = self._parts.ports.clock.monotonic() + wait

    def _ended(self, job: Job) -> bool:
        """Take in how our last job ended; return whether that settles it."""
        if job.state is JobState.SUCCEEDED:
            self._stands(True)
            return True
        if job.state is JobState.CANCELLED:
            self.find(finding("answers-stopped"))
            self.record = replace(self.record, is_up=True)
            return True
        if self._boot_line(job):
            return True
        self._forget_trouble()
        self.find(finding(NOT_YET, problem=(job.sentence or "?").rstrip(".")))
        if job.finding is not None:
            self.find(job.finding)
        return False

    def _boot_line(self, job: Job) -> bool:
        """Have the boot line completed and the machine restarted once, where the file allows it; return whether it is so."""
        code = job.finding.code if job.finding is not None else ""
        fix = FIXES.get(code)
        if fix is None or not fix.reboots or self.record.values.get("hardware.boot_line") is not True:
            return False
        key = f"{self._key(self.record.tries)}-{code}"
        done = self._parts.store.job_with_key(key)
        if done is not None and done.is_over:
            if done.state is not JobState.SUCCEEDED or self.record.boot_line == code:
                return False  # it did not help: what is wrong is shown, and tried again as everything else
            self.record = replace(self.record, boot_line=code)
            self._parts.note("restart", "begun", f"the boot line was completed: {code}")
            self._parts.restart_machine()
            return True
        if self.record.boot_line == code:
            return False
        try:
            self._parts.start(Verb.FIX, {"code": code}, key)
        except Busy:
            pass
        except OptionRefused:
            return False
        return True

    def _is_due(self) -> bool:
        """Whether to try again: after a while, and at once when a cable, an address or a route has changed, or the clock was
        set.
        """
        moved = self._pulse is not None and self._parts.ports.machine.pulse() != self._pulse
        was_set = self._started is not None and abs(self._start_of_machine() - self._started) > CLOCK_SET
        return moved or was_set or self._parts.ports.clock.monotonic() >= self._next_at

    def _start_of_machine(self) -> datetime:
        """Return what only moves when the clock is set."""
        clock = self._parts.ports.clock
        return clock.now() - timedelta(seconds=clock.monotonic())

    def _was_overruled(self) -> bool:
        """Whether a person has stopped or removed the site since our last try."""
        if not self.record.tries:
            return False
        newest = self._parts.store.jobs()[:1]
        return bool(newest) and newest[0].verb in (Verb.DOWN, Verb.REMOVE)

    def _key(self, number: int) -> str:
        return f"answers-{self.record.sha256[:12]}-{self.record.run}-{number}"

    def _stands(self, was_done: bool) -> None:
        self.record = replace(self.record, is_up=True)
        self._forget_trouble()
        if was_done:
            site = self._parts.store.site()
            self.did(Deed.UP, site.name if site is not None else "")

    def _forget_trouble(self) -> None:
        """Take back what the last try said stood in the way."""
        for old in self.record.status.findings:
            if old.code == NOT_YET or not old.code.startswith(OURS):
                self.unfind(old.code)

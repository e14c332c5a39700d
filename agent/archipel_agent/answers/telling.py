"""What is told of an answer file while it is carried out: what was done, what not and why. Base of `handing`."""

from dataclasses import replace

from archipel_agent.answers.parts import Parts
from archipel_agent.answers.record import Record
from archipel_agent.host.clock import text
from archipel_contract.answers import AnswersState, Deed, Done
from archipel_contract.findings import Finding


class Telling:
    """Holds the record and adds to what is shown of it."""

    def __init__(self, parts: Parts, record: Record) -> None:
        self._parts = parts
        self.record = record

    def did(self, deed: Deed, detail: str = "") -> None:
        """Note what was done; a thing done again after a cut is noted once."""
        status = self.record.status
        if any(one.deed is deed for one in status.done):
            return
        one = Done(deed=deed, at=text(self._parts.time()), detail=detail)
        self.record = replace(self.record, status=replace(status, done=(*status.done, one)), is_beside=False)
        self._parts.note(str(deed), "done", detail)

    def find(self, one: Finding) -> None:
        """Note what was not done."""
        status = self.record.status
        if any(old.code == one.code and old.params == one.params for old in status.findings):
            return
        found = replace(status, findings=(*status.findings, one))
        self.record = replace(self.record, status=found, is_beside=False)

    def unfind(self, code: str) -> None:
        """Take back what is not so any more."""
        status = self.record.status
        left = tuple(one for one in status.findings if one.code != code)
        if left != status.findings:
            self.record = replace(self.record, status=replace(status, findings=left), is_beside=False)

    def settle(self) -> None:
        """Say in the status how it stands now."""
        record = self.record
        waits = (() if record.is_up else (Deed.UP,)) + ((Deed.ENROLLED,) if record.waits_for_fleet else ())
        is_over = record.is_handed_over and not waits
        status = replace(
            record.status, state=AnswersState.DONE if is_over else AnswersState.WORKING, waits_for=waits
        )
        beside = record.is_beside and status == record.status
        self.record = replace(record, status=status, is_over=is_over, is_beside=beside)

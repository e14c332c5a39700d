"""Asking before a repair; used by the screens that show findings."""

from archipel_contract.findings import Finding
from archipel_contract.jobs import Verb
from archipel_tui.screens.ui import Ui
from archipel_tui.text import duration
from archipel_tui.views.words import said


def ask_to_repair(ui: Ui, finding: Finding) -> None:
    """Ask whether to repair `finding`, saying what will be done, what pauses and how it is taken back; on yes start
    the job. Without a repair nothing happens.
    """
    fix = finding.fix
    if fix is None:
        return

    def question() -> list[str]:
        words = ui.scene.words
        text = said(finding, words)
        lines = [words("confirm.fix", title=text.title)]
        lines += [f"{number}. {step}" for number, step in enumerate(text.plan, 1)] or [text.remedy]
        if fix.restarts:
            lines.append(words("confirm.fix-restarts", time=duration(fix.usual_seconds, words)))
        if fix.reboots:
            lines.append(words("confirm.fix-reboots"))
        if text.undo:
            lines.append(words("confirm.fix-undo", undo=text.undo))
        return lines

    ui.confirm("fix", question, lambda: ui.begin(Verb.FIX, {"code": fix.code}))

"""The result beside an answer file: what was done, what not and why, for somebody who holds the stick at another machine.

Plain text in the language the file asks for, and the same as JSON. Pure.
"""

import json

from archipel_contract import __version__, wire
from archipel_contract.answers import FILE, RESULT_JSON, AnswersStatus, Deed
from archipel_contract.catalogue import words
from archipel_contract.catalogue.ui import Words
from archipel_contract.wrapping import wrap

WIDTH = 76


def as_text(status: AnswersStatus, language: str, host: str) -> str:
    """Return it for people. Lines end as Windows wants them, because that is where sticks are read."""
    say = Words(language)
    lines = [say("answers.title", file=FILE, host=host), "", say(f"answers.state-{status.state}"), ""]
    if status.done:
        lines.append(say("answers.done"))
        lines += [f"  + {one.at}  {_deed(say, one.deed)}{_detail(one.detail)}" for one in status.done]
        lines.append("")
    if status.waits_for:
        lines.append(say("answers.waits"))
        lines += [f"  > {_deed(say, one)}" for one in status.waits_for]
        lines.append("")
    if status.findings:
        lines.append(say("answers.not-done"))
    for one in status.findings:
        text = words(one, language)
        lines.append(f"  ! {text.title}  ({one.code})")
        for part in (text.cause, text.remedy):
            lines += [f"    {line}" for line in wrap(part, WIDTH - 4)]
        lines.append("")
    lines += [say("answers.more"), f"archipel {__version__}  {status.sha256[:12]}  {RESULT_JSON}", ""]
    return "\r\n".join(lines)


def _deed(say: Words, deed: Deed) -> str:
    return say(f"answers.deed-{deed}")


def _detail(detail: str) -> str:
    return f": {detail}" if detail else ""


def as_json(status: AnswersStatus, host: str) -> bytes:
    """Return it for programs."""
    data = wire.to_data(status) | {"agent_version": __version__, "host": host}
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode(errors="replace")

"""A report as text to print and put into the cabinet."""

from archipel_agent.acceptance.figures import Figure, Report, Verdict

WORDS = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.TOLD: "measured",
    Verdict.NOT_MEASURABLE: "NOT MEASURABLE HERE",
    Verdict.UNKNOWN: "not known",
}


def text_of(report: Report, signed_by: str) -> str:
    """Return the whole report, at most 100 columns wide but for names."""
    lines = [
        "ARCHIPEL ACCEPTANCE REPORT",
        "",
        f"machine    {report.hostname}  {report.model}  {report.serial}".rstrip(),
        f"node id    {report.node_id or 'none yet'}",
        f"system     {report.architecture}, kernel {report.kernel}, Archipel {report.agent_version}",
        f"made at    {report.made_at} (clock: {report.clock}){', quick' if report.quick else ''}",
        f"signed by  {signed_by}",
        f"verdict    {WORDS[report.verdict]}",
        "",
    ]
    for one in report.figures:
        lines += _figure(one)
    if report.rounds:
        good = sum(one.verdict is Verdict.PASS for one in report.rounds)
        lines.append(f"Power cuts: {good} of {len(report.rounds)} rounds good")
    for one_round in report.rounds:
        lines.append(f"  {one_round.number:>3}  {WORDS[one_round.verdict]:<10} {one_round.said}")
    return "\n".join(lines) + "\n"


def _figure(one: Figure) -> list[str]:
    has_number = one.value is not None and one.unit
    value = f"{one.value:g} {one.unit}" if has_number else ""
    lines = [f"{one.title}: {value or one.said or '-'}   [{WORDS[one.verdict]}]"]
    if value and one.said:
        lines.append(f"    {one.said}")
    lines += [f"    bound: {one.bound}"] if one.bound else []
    lines += [f"    method: {one.method}"] if one.method else []
    return [*lines, ""]

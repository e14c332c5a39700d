"""Counts at the end of a run what was skipped, by reason, so that nobody takes a short run for a full one."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each reason, most frequent first; nothing when nothing was skipped."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not reasons:
        return
    terminalreporter.section("skipped, by reason")
    for reason, count in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
        terminalreporter.write_line(f"{count:6}  {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # For a skip, pytest keeps (file, line, "Skipped: REASON").
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return "no reason given"

"""The kit on the machine that runs the tests: real writes, a report that verifies and says what it could not see."""

from pathlib import Path

import pytest

from archipel_agent.acceptance import signing
from archipel_agent.acceptance.figures import Verdict
from archipel_agent.acceptance.making import report
from archipel_agent.acceptance.measuring import Ground, Wishes, measure
from archipel_agent.compose import real_ports
from archipel_agent.host.bench import SystemBench
from archipel_agent.paths import Paths, identity_of


@pytest.mark.real_process
@pytest.mark.timeout(90)
def test_a_quick_run_on_this_machine_makes_a_report_that_verifies(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    ports = real_ports(paths)
    told: list[str] = []
    ground = Ground(
        ports=ports,
        bench=SystemBench(ports.clock.monotonic),
        paths=paths,
        site=None,
        wishes=Wishes(quick=True, load_seconds=1.0),
        tell=told.append,
    )
    made = report(ports, "", tuple(measure(ground)), None, quick=True)
    read, signed = signing.verify(signing.sign(made, ports.disk, identity_of(paths)))
    assert read == made
    assert not signed.is_of_a_device
    figures = {one.name: one for one in read.figures}
    assert len(told) == len(figures) - 1  # the power cuts are a loop of their own
    assert figures["fdatasync-p99"].verdict in (Verdict.PASS, Verdict.FAIL)
    assert (figures["fdatasync-p99"].value or 0) > 0
    assert (figures["memory"].value or 0) > 0
    assert figures["power-cuts"].verdict is Verdict.NOT_MEASURABLE
    assert read.verdict in (Verdict.FAIL, Verdict.NOT_MEASURABLE)
    assert all(one.said for one in figures.values() if one.verdict is Verdict.NOT_MEASURABLE)
    assert list(tmp_path.iterdir()) == []

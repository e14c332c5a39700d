"""What a person insists on stands in the audit journal with their name."""

import threading
from pathlib import Path

from archipel_agent.core import Core
from archipel_agent.settings import Settings
from archipel_contract.jobs import JobRequest, Verb
from tests.agent.bundles.machine import FILE, SMALL, box


def test_taking_an_older_bundle_on_purpose_stands_in_the_audit_journal() -> None:
    machine = box(SMALL.packed())
    core = Core(machine.ports, machine.paths, Settings(), "n-0123456789abcdef", machine.store)
    over = threading.Event()
    core.when_over = over.set
    core.start_job(JobRequest(verb=Verb.IMPORT, options={"bundle": str(FILE), "allow_older": True}), "anna")
    assert over.wait(10)
    assert core.journal is not None
    (entry,) = core.journal.after(0, 10)
    assert (entry.actor, entry.action) == ("local:anna", "job:import")
    assert (entry.params["allow_older"], Path(entry.params["bundle"])) == ("True", FILE)

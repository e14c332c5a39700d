"""The agent's own end: a unit that outlives it takes away its files, the unit itself last.

The unit is installed before it is started, so that a power cut in the middle finishes at the next boot. It consists of
plain commands, because the interpreter that runs this file is among what is removed. Without systemd the agent's process
does the same when its job is over (`daemon`).
"""

from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.leaving import AGENT_UNIT, KEEPING, LEAVING, doomed
from archipel_agent.steps.removing import KEEP_DATA, left_behind
from archipel_contract.catalogue import finding
from archipel_contract.facts import InitSystem

UNIT = "archipel-goodbye.service"
PAUSE_SECONDS = 2  # for clients to read that the job succeeded, before the agent ends


def unit_text(paths: Paths, keep_state: bool) -> str:
    """Return the unit that removes the agent and then itself."""
    own = paths.units / UNIT
    link = paths.units / "multi-user.target.wants" / UNIT
    removals = "\n".join(f"ExecStart=-/bin/rm -rf {path}" for path in doomed(paths, keep_state))
    return f"""\
# Written by `archipel remove`: finishes the removal even across a power cut, then removes itself.
[Unit]
Description=Archipel takes its leave
After=local-fs.target

[Service]
Type=oneshot
ExecStartPre=/bin/sleep {PAUSE_SECONDS}
ExecStart=-/bin/systemctl stop {AGENT_UNIT} archipel-stick@*.service
{removals}
ExecStart=-/bin/rmdir {paths.at("etc/rancher")}
ExecStart=-/bin/rmdir {paths.at("var/lib/rancher")}
ExecStart=-/bin/rm -f {link} {own}
ExecStart=-/bin/systemctl daemon-reload
"""


def run(context: Context) -> str:
    """Hand over to the unit; without systemd only say what stays, the agent's process does the rest."""
    keep_state = context.options.what == KEEP_DATA
    context.store.keep(left_behind="\n".join(left_behind(context)))
    if context.ports.rehearsed or context.ports.machine.facts().init is not InitSystem.SYSTEMD:
        context.store.keep(**{LEAVING: KEEPING if keep_state else "yes"})
        return "the agent's files go when this job is over"
    units = context.paths.units
    try:
        context.ports.disk.write(units / UNIT, unit_text(context.paths, keep_state).encode())
        context.ports.disk.link(units / UNIT, units / "multi-user.target.wants" / UNIT)
        context.ports.runner.run(["systemctl", "daemon-reload"])
        context.ports.runner.run(["systemctl", "start", "--no-block", UNIT])
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="goodbye", problem=str(error))) from error
    return "the agent's files go now"


STEP = Step(slug="goodbye", title="Remove the agent", run=run)

"""Write a support bundle: everything a helper far away needs, with secrets removed."""

from pathlib import Path

from archipel_agent import support
from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.observe import World, gather
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding


def run(context: Context) -> str:
    """Collect and write; the path is the job's result."""
    world = World(paths=context.paths, store=context.store, settings_problem=context.settings_problem)
    evidence = gather(context.ports, world)
    phase = Phase.RUNTIME if evidence.site else Phase.PREFLIGHT
    directory = (
        Path(context.options.directory) if context.options.directory else context.paths.state / "support"
    )
    if context.options.directory and not context.ports.disk.exists(directory):
        # Never made: where a stick is not in, its place would be one on the machine's own disk.
        raise StepFailed(finding("support-place-missing", place=str(directory)), refused=True)
    try:
        path = support.build(
            context.ports,
            context.paths,
            evidence,
            registry.look_all(evidence, phase),
            directory,
            context.node_id,
        )
    except OSError as error:
        raise StepFailed(finding("job-failed", step="support-bundle", problem=str(error))) from error
    context.store.keep(support_bundle=str(path))
    return str(path)


STEP = Step(slug="support-bundle", title="Write the support bundle", run=run)

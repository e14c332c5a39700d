"""The story of each job: its steps in order.

What a job consists of is loaded when the first of its kind is asked for: an agent at rest must not pay for them, and a node
that was set up long ago may never need most of them again.
"""

from archipel_agent.steps.base import Step
from archipel_agent.steps.options import Options
from archipel_contract.jobs import Verb


def story(verb: Verb, options: Options) -> tuple[Step, ...]:
    """Return the steps of a job."""
    match verb:
        case Verb.UP:
            from archipel_agent.steps import up_story

            return up_story.UP
        case Verb.DOWN | Verb.RESTART:
            return _stopped_or_started_again(verb)
        case Verb.REMOVE:
            from archipel_agent.steps import remove_story

            return remove_story.REMOVE
        case Verb.FIREWALL:
            from archipel_agent.steps import firewall

            return (firewall.DECLARED, firewall.APPLY)
        case Verb.IMPORT:
            from archipel_agent.steps import bundle_import

            return (bundle_import.STEP,)
        case Verb.BACKUP | Verb.DRILL | Verb.RESTORE:
            from archipel_agent.steps import backup_story

            return {
                Verb.BACKUP: backup_story.BACKUP,
                Verb.DRILL: backup_story.DRILL,
                Verb.RESTORE: backup_story.RESTORE,
            }[verb]
        case Verb.ADOPT | Verb.LEAVE:
            from archipel_agent.steps import adopt_site, leave_site

            return adopt_site.ADOPT if verb is Verb.ADOPT else leave_site.LEAVE
        case Verb.SUPPORT:
            from archipel_agent.steps import support_bundle

            return (support_bundle.STEP,)
        case Verb.FIX:
            return _repair(options)


def _stopped_or_started_again(verb: Verb) -> tuple[Step, ...]:
    if verb is Verb.DOWN:
        from archipel_agent.steps import stopping

        return (stopping.WANT, stopping.STOP, stopping.PODS)
    from archipel_agent.steps import restart, start, wait_api, wait_node

    return (restart.STEP, start.STEP, wait_api.STEP, wait_node.STEP)


def _repair(options: Options) -> tuple[Step, ...]:
    """Return the steps of one repair, or of the way back from it."""
    from archipel_agent.steps import fix

    if options.code not in fix.REPAIRS:
        from archipel_agent.steps import repair

        if options.undo:
            return repair.UNDOS.get(options.code, (fix.NO_UNDO,))
        return repair.REPAIRS.get(options.code, (fix.NO_REPAIR,))
    if options.undo:
        return fix.UNDOS.get(options.code, (fix.NO_UNDO,))
    return fix.REPAIRS[options.code]

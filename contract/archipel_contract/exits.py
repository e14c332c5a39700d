"""Exit codes of every `archipel` command, for scripts. The reference page is generated from this enum."""

from enum import IntEnum


class Exit(IntEnum):
    """0 is success; each other code has one meaning across all commands."""

    OK = 0
    NOT_OK = 1
    """The question was answered, and the answer is that something is wrong (`status`, `doctor`, `why`)."""
    USAGE = 2
    """The words of the command are off; standard error says which."""
    REFUSED = 3
    """Nothing was changed, because a check found a problem first; the finding says what to do."""
    FAILED = 4
    """The work began and did not finish; the finding says what to do. Running the command again resumes it."""
    AGENT_AWAY = 5
    """The agent does not answer, and the command needs it; for `archipel fleet` it is the controller that does not."""
    NOT_PERMITTED = 6
    """This user may not do that; standard error names the role it takes."""
    BUSY = 7
    """Another job is running; standard error names it."""
    CANCELLED = 8
    """The job was stopped on request and undone."""
    INTERRUPTED = 130
    """Ctrl-C: the command stopped watching; the job goes on."""

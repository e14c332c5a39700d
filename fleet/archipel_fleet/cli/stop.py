"""The one way a command ends early: with an exit code and a sentence."""

from archipel_contract.exits import Exit


class Stop(Exception):
    """The command ends here; the message goes to standard error."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code

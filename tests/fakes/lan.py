"""A local network that says what a test has it say."""

from archipel_agent.ports import LanSilent


class ScriptedLan:
    """Implements the Lan port."""

    def __init__(self, *holders: str) -> None:
        self.holding = holders
        self.problem = ""
        self.asked: list[tuple[str, str]] = []

    def holders(self, interface: str, address: str) -> tuple[str, ...]:
        """See ports.Lan."""
        self.asked.append((interface, address))
        if self.problem:
            raise LanSilent(self.problem)
        return self.holding

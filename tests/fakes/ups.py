"""A UPS server that says what a test has it say."""

from archipel_agent.ports import UpsSilent


class ScriptedUps:
    """Implements the Ups port."""

    def __init__(self) -> None:
        self.status = "OL"
        self.charge = 100
        self.is_silent = False
        self.asked = 0

    def ask(self, host: str, port: int, question: bytes, end: bytes, limit: int) -> bytes:
        """See ports.Ups."""
        self.asked += 1
        if self.is_silent:
            raise UpsSilent(f"{host}:{port} does not answer: timed out")
        ups = question.split()[2].decode()
        lines = [f'VAR {ups} battery.charge "{self.charge}"', f'VAR {ups} ups.status "{self.status}"']
        return f"BEGIN LIST VAR {ups}\n".encode() + "\n".join([*lines, ""]).encode() + end

"""The one way in which keys are refused: a code of the catalogue and what it says. Raised everywhere in this package."""

from archipel_contract import catalogue
from archipel_contract.findings import Finding


class KeysRefused(Exception):
    """Keys cannot be used or changed like this; nothing was changed. `code` is the finding:

    fleet-keys-missing, fleet-keys-damaged, fleet-trust-refused, fleet-authority-unfit, fleet-token-unusable.
    """

    def __init__(self, code: str, detail: str, **params: str) -> None:
        super().__init__(detail)
        self.code = code
        self.params = {"detail": detail, **params}

    @property
    def finding(self) -> Finding:
        """What is wrong in the words of the catalogue, and what to do."""
        return catalogue.finding(self.code, (), None, **self.params)

"""The support bundle: everything a helper far away needs to understand this machine, with secrets removed.

Called by the step `support_bundle`. `bundle` packs, `sources` says what is collected, `known` finds the secrets that this
machine holds so that they can be removed wherever they turn up. Nothing here changes the machine.
"""

from archipel_agent.support.bundle import build

__all__ = ["build"]

"""The story of `remove`: what was brought is taken away, the agent itself last. Loaded by `story` when one is asked for."""

from archipel_agent.steps import firewall, goodbye, removing

REMOVE = (
    removing.FORGET,
    firewall.AWAY,
    removing.STOP,
    removing.PODS,
    removing.KERNEL,
    removing.HOST,
    removing.BINARY,
    removing.DATA,
    goodbye.STEP,
)

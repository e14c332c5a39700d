"""The link to the fleet: what the node says, what it keeps until that is committed there, and when it says it.

`mirror`, `diary` and `sampler` make messages out of reports, the outbox keeps them, the engine decides what goes next, and
one thread owns the carrier. Nothing that arrives over the link makes this machine do anything but say something.
"""

"""Where an adopted k3s differs from one that Archipel sets up, and whether that can be changed later without harm."""

from dataclasses import dataclass
from enum import StrEnum


class Later(StrEnum):
    """Whether and when a difference can be taken away."""

    NEVER = "never"  # fixed for the life of the cluster
    RESTART = "restart"  # in k3s' own settings; holds from its next start on
    NOW = "now"  # without touching k3s
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: what is, what `archipel up` would have written, and what follows from it."""

    name: str  # the setting by its own name: of config.yaml, `kubelet-arg: NAME`, of sysctl, or a file
    present: str  # empty: it is not set
    wanted: str  # empty: Archipel sets no such thing
    means: str
    later: Later = Later.UNKNOWN

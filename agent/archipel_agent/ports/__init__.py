"""The ports: everything the agent's decisions need from the world, as narrow protocols.

`host/` and `k3s/` hold the real implementations, `rehearsal/` the simulated machine, `tests/fakes/` the treacherous ones.
All calls block; they are made from worker threads, never from the event loop.

One module a subject; everybody imports the names from here. `Ports` is all that one node's decisions go by.
"""

from __future__ import annotations

from dataclasses import dataclass

from archipel_agent.ports.commands import CommandFailed, Completed, Privileged, Runner
from archipel_agent.ports.entropy import Entropy
from archipel_agent.ports.files import Disk, Files
from archipel_agent.ports.fleet import EnrolFailed, Enroller, Enrolment, Secured, Uplink
from archipel_agent.ports.k3s import K3sHost, UnitSpec
from archipel_agent.ports.kube import KubeApi, KubeReply, KubeWatch
from archipel_agent.ports.machine import Listener, Machine
from archipel_agent.ports.media import Mark, Media, MissingBoot, Mount
from archipel_agent.ports.network import Fetcher, FetchFailed, Lan, LanSilent, Ups, UpsSilent
from archipel_agent.ports.time import Cancelled, Clock

__all__ = [
    "Cancelled",
    "Clock",
    "CommandFailed",
    "Completed",
    "Disk",
    "EnrolFailed",
    "Enroller",
    "Enrolment",
    "Entropy",
    "FetchFailed",
    "Fetcher",
    "Files",
    "K3sHost",
    "KubeApi",
    "KubeReply",
    "KubeWatch",
    "Lan",
    "LanSilent",
    "Listener",
    "Machine",
    "Mark",
    "Media",
    "MissingBoot",
    "Mount",
    "Ports",
    "Privileged",
    "Runner",
    "Secured",
    "UnitSpec",
    "Uplink",
    "Ups",
    "UpsSilent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All ports of one node, handed to whoever decides or acts."""

    clock: Clock
    entropy: Entropy
    disk: Disk
    runner: Runner
    machine: Machine
    k3s: K3sHost
    kube: KubeApi
    fetcher: Fetcher
    privileged: Privileged
    ups: Ups | None = None  # None: nobody can be asked
    lan: Lan | None = None  # the same
    rehearsed: bool = False

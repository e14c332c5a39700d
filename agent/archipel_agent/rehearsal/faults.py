"""The troubles a rehearsal can make: each changes one thing of the machine, as life would, and can be taken back.

A fault never says "be broken": the simulated k3s meets the changed machine and then speaks from the recording of a real
one that met the same. `codes` are the findings one of which has to explain it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from archipel_agent.ports import Listener
from archipel_agent.rehearsal.state import MachineState

THIEF = Listener(port=6443, address="0.0.0.0", process="nginx", pid=812)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One trouble."""

    name: str
    title: str
    codes: tuple[str, ...]
    recording: str  # of the real k3s that met it; empty where k3s says nothing
    inject: Callable[[MachineState], None]
    heal: Callable[[MachineState], None]
    ends_k3s: bool = False  # whether a running k3s ends when it comes


class FaultUnknown(KeyError):
    """There is no such fault; the message lists those there are."""


def _memory(state: MachineState, present: bool) -> None:
    names = [name for name in state.facts.cgroups.controllers if name != "memory"]
    cgroups = replace(state.facts.cgroups, controllers=(*names, *(["memory"] if present else [])))
    state.facts = replace(state.facts, cgroups=cgroups)
    state.kernel_command_line = "console=tty1 root=/dev/mmcblk0p2" + (
        "" if present else " cgroup_disable=memory"
    )


def _cable(state: MachineState, carrier: bool) -> None:
    nics = (replace(state.facts.nics[0], carrier=carrier), *state.facts.nics[1:])
    state.facts = replace(state.facts, nics=nics)


def _set(**values: object) -> Callable[[MachineState], None]:
    def change(state: MachineState) -> None:
        for name, value in values.items():
            setattr(state, name, value)

    return change


def _kernel(value: str) -> Callable[[MachineState], None]:
    return lambda state: state.kernel.update({"vm.overcommit_memory": value})


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            name="port-taken",
            title="Another program listens on port 6443",
            codes=("port-taken", "port-taken-logged"),
            recording="port-taken",
            inject=_set(strangers=(THIEF,)),
            heal=_set(strangers=()),
            ends_k3s=True,
        ),
        Fault(
            name="memory-cgroup-off",
            title="The kernel was started without memory control groups",
            codes=("memory-cgroup-off", "memory-cgroup-off-pi"),
            recording="memory-cgroup-off",
            inject=lambda state: _memory(state, False),
            heal=lambda state: _memory(state, True),
            ends_k3s=True,
        ),
        Fault(
            name="kernel-setting-broken",
            title="Somebody changed vm.overcommit_memory",
            codes=("kernel-setting-wrong",),
            recording="kernel-setting-broken",
            inject=_kernel("0"),
            heal=_kernel("1"),
            ends_k3s=True,
        ),
        Fault(
            name="disk-full",
            title="The disk is full",
            codes=("disk-full", "disk-pressure", "disk-low", "disk-too-small"),
            recording="disk-full",
            inject=_set(free_bytes=0),
            heal=_set(free_bytes=20 << 30),
            ends_k3s=True,
        ),
        Fault(
            name="offline-image",
            title="No registry is in reach and no image archive was brought",
            codes=("image-missing",),
            recording="offline-image",
            inject=_set(images=False),
            heal=_set(images=True),
            ends_k3s=True,
        ),
        Fault(
            name="crash-loop",
            title="k3s ends again and again: the interface it should use is not there",
            codes=("flannel-interface-missing", "interface-gone", "k3s-crash-loop"),
            recording="crash-loop",
            inject=_set(interface_lost=True),
            heal=_set(interface_lost=False),
            ends_k3s=True,
        ),
        Fault(
            name="slow-start",
            title="A slow card: everything takes eight times as long",
            codes=(),
            recording="",
            inject=_set(slowness=8.0),
            heal=_set(slowness=1.0),
        ),
        Fault(
            name="cable-out",
            title="The network cable was pulled",
            codes=("cable-out",),
            recording="",
            inject=lambda state: _cable(state, False),
            heal=lambda state: _cable(state, True),
        ),
    )
}


def fault(name: str) -> Fault:
    """Return a fault by name; raise FaultUnknown."""
    try:
        return FAULTS[name]
    except KeyError:
        raise FaultUnknown(f"there is no fault {name!r}; there are {', '.join(FAULTS)}") from None

"""The network cables of a host: pulling, plugging in, one more card.

Mixed into `host.Host`. It touches only the lab's end and the host's end, never an interface of this machine.
"""

from tests.hosts.whole import Whole


class Cable(Whole):
    """The half of a host that deals with its cables."""

    @property
    def cable(self) -> str:
        """The switch's end of the host's cable, an interface of the lab; systemd-nspawn's name for it."""
        return f"vb-{self.name}"

    def cut_network(self) -> None:
        """Pull the network cable: the host sees its carrier go."""
        self.lab.run(["ip", "link", "set", self.cable, "down"]).ok()

    def heal_network(self) -> None:
        """Plug the cable in again."""
        self.lab.run(["ip", "link", "set", self.cable, "up"]).ok()

    def add_nic(self, name: str, address: str) -> None:
        """One more network card, `address` with its prefix length, its cable ending nowhere; gone after a
        restart."""
        far = f"x-{self.name}"[:11] + name[-3:]
        script = (
            'ip link add "$0" type veth peer name "$1" && ip link set "$1" netns "$2" && ip link set "$0" up'
        )
        self.lab.run(["sh", "-ec", script, far, name, str(self.leader)]).ok()
        inside = 'ip addr add "$1" dev "$0" && ip link set "$0" up'
        self.run(["sh", "-ec", inside, name, address]).ok()

    def _unplug(self) -> None:
        """Remove the cable of the run before: the kernel takes its time when a network namespace has died."""
        self.lab.run(["ip", "link", "delete", self.cable])

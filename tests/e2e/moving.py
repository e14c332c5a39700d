"""What the stories of a site that moves share: a box, the stick and the key, and the bare machine that becomes the site."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.person import Person, from_checkout
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

STICK, KEY = "/tmp/stick", "/tmp/recovery.key"
LASTING = ("configmaps", "secrets", "serviceaccounts", "namespaces", "clusterroles")


@dataclass
class Box:
    """A machine, who sits at it, and what the story has seen so far."""

    host: PlainHost
    person: Person
    objects: dict[str, Any] = field(default_factory=dict)
    volume: dict[str, Any] = field(default_factory=dict)
    sealed: bytes = b""
    name: str = ""
    secret: str = ""
    up_seconds: float = 0.0

    @classmethod
    def at(cls, host: PlainHost) -> "Box":
        """A box with a person at it."""
        return cls(host, Person(host, from_checkout()))

    def carry_away(self, name: str) -> None:
        """Keep a backup from the stick in the test's own hands."""
        self.name = name
        self.sealed = self.host.get(f"{STICK}/{name}")


@contextmanager
def fresh_box(lab: Lab, old: Box) -> Iterator[Box]:
    """Bare hardware with another name and address, and the stick and the key of `old` in a person's hand."""
    with PlainHost("fresh", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        host.put(old.sealed, f"{STICK}/{old.name}")
        host.put(old.secret.encode(), KEY, 0o600)
        yield Box.at(host)


def lasting_objects(person: Person) -> dict[str, Any]:
    """The id of every object by kind and name, but of nodes' passwords: k3s makes those anew whenever it resets an etcd."""
    found = ((one["kind"], one["metadata"]) for one in person.objects(",".join(LASTING)))
    return {
        f"{kind} {meta.get('namespace', '')}/{meta['name']}": meta["uid"]
        for kind, meta in found
        if not meta["name"].endswith(".node-password.k3s")
    }

"""What a person carries from one machine to another: a stick with a sealed backup, and the key that opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archipel_contract.exits import Exit
from tests.e2e.person import Person
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab

STICK, KEY = "/media/stick", "/media/safe/recovery.key"


@dataclass
class Carried:
    """The backup and the key, out of reach of what happens to either machine."""

    secret: str = ""
    name: str = ""
    sealed: bytes = b""

    def take(self, person: Person) -> None:
        """Make a recovery key and a backup on the stick, and keep both."""
        person.host.run(["mkdir", "-p", STICK]).ok()
        self.secret = person.asks("backup", "key", "new").document["secret"]
        done = person.asks("backup", "now", "--to", STICK)
        assert done.code == Exit.OK, (str(done), person.types("logs", "agent", "-n", "40").stdout)
        (listed,) = person.asks("backup", "list", "--to", STICK).document["backups"]
        self.name = listed["name"]
        self.sealed = person.host.get(f"{STICK}/{self.name}")

    def show_key(self, person: Person) -> None:
        """Lay the key down at a machine."""
        person.host.put(self.secret.encode(), KEY, 0o600)


@contextmanager
def new_hardware(lab: Lab, carried: Carried) -> Iterator[Person]:
    """Another machine under systemd with k3s and the product on it, and stick and key in the person's hand."""
    with BootedHost("fresh", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        host.install_archipel().ok()
        host.put(carried.sealed, f"{STICK}/{carried.name}")
        person = Person(host)
        carried.show_key(person)
        yield person

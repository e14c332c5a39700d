"""A rehearsed machine under a power supply that can fail, with bundles on its stick, and what it does with them."""

from pathlib import Path

from archipel_agent.bundles.importing import PIECE
from archipel_agent.bundles.store import BundleStore
from archipel_agent.rehearsal.binary import stand_in
from archipel_contract.bundle.format import Kind
from archipel_contract.jobs import Job, Verb
from tests.chaos.crashes import Story, request
from tests.chaos.node import SCENARIO, Node
from tests.fakes.bundles import MAKERS_KEY, FakeBundle

ARCHITECTURE = SCENARIO.facts.architecture
VERSION = "v1.36.2+k3s1"
STICK = Path("/media/usb")
FILE = STICK / "edge.archipel-bundle"
FEW_STICK = Path("/media/other/few.archipel-bundle")
KEY = Path("/etc/archipel/bundle-keys/maker.pub")
K3S = stand_in(ARCHITECTURE, VERSION)
IMAGE = b"layers of core images" * 60_000  # more than one piece, as the k3s is
OBJECT = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: plant}\n"
GOOD = FakeBundle(
    architecture=ARCHITECTURE,
    sequence=5,
    files={
        "k3s": (Kind.K3S, K3S),
        "core.tar.zst": (Kind.K3S_IMAGES, IMAGE),
        "plant.yaml": (Kind.MANIFESTS, OBJECT),
        "notes.txt": (Kind.NOTES, b"what is new"),
    },
)
SMALL = FakeBundle(
    architecture=ARCHITECTURE, files={"a.tar": (Kind.IMAGES, b"image a"), "b.tar": (Kind.IMAGES, b"image b")}
)


FEW = FakeBundle(
    architecture=ARCHITECTURE,
    files={
        "a.tar": (Kind.IMAGES, bytes(PIECE + 1)),
        "b.tar": (Kind.IMAGES, b"b"),
        "c.txt": (Kind.NOTES, b"c"),
    },
)
GOOD_FILE, FEW_FILE = GOOD.packed(), FEW.packed()


class Box(Node):
    """A machine that trusts the maker of the bundles; each job has a key of its own."""

    asked = 0

    def lay(self, data: bytes, path: Path = FILE) -> None:
        """Put a file on the stick."""
        self.disk.put(path, data)

    def trust(self) -> "Box":
        """Put the maker's key there."""
        self.disk.put(KEY, MAKERS_KEY)
        return self

    def ask(self, verb: Verb = Verb.IMPORT, path: Path = FILE, **options: bool | str) -> Job:
        """Run a job with the bundle."""
        self.asked += 1
        return self.do(request(verb, f"job-{self.asked}", bundle=str(path), **options))

    @property
    def bundles(self) -> BundleStore:
        """What the machine holds."""
        return BundleStore(self.disk, self.paths)

    def files(self) -> dict[str, object]:
        """Everything on the disk but the record of jobs."""
        return {name: node for name, node in self.disk.tree().items() if "state.db" not in name}


def box(data: bytes = b"") -> Box:
    """A machine with this file on its stick."""
    made = Box().trust()
    if data:
        made.lay(data)
    return made


class StickStory(Story):
    """A job on a machine with good bundles on its stick."""

    def begin(self) -> Node:
        """See Story."""
        node = Story.begin(self)
        node.disk.put(KEY, MAKERS_KEY)
        node.disk.put(FILE, GOOD_FILE)
        node.disk.put(FEW_STICK, FEW_FILE)
        return node

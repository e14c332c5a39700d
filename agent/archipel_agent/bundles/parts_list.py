"""The parts list of a bundle (SBOM): every file with its digest, as CycloneDX 1.6, the same bytes for the same files.

Needs cyclonedx-python-lib (extra `bundle`), which machines that only take bundles do not have.
"""

import json
import uuid
from datetime import datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6

from archipel_contract import __version__
from archipel_contract.bundle.format import BundleFile, Kind

SPACE = uuid.UUID("8e1c1a54-4d0e-5a5c-9d0c-6a6f1f1d7a10")  # of the ids below; any constant would do
TYPES = {Kind.K3S: ComponentType.APPLICATION, Kind.WHEELS: ComponentType.LIBRARY}
CONTAINERS = (Kind.IMAGES, Kind.K3S_IMAGES)


def parts_list(files: tuple[BundleFile, ...], architecture: str, created: datetime) -> bytes:
    """Return the list as JSON."""
    content = "\n".join(f"{one.sha256} {one.name}" for one in files)
    subject = Component(
        name="archipel-bundle", version=__version__, type=ComponentType.PLATFORM, bom_ref="bundle"
    )
    metadata = BomMetaData(timestamp=created, component=subject)
    metadata.properties.add(Property(name="archipel:architecture", value=architecture))
    made = Bom(
        components=[_component(one) for one in files],
        metadata=metadata,
        serial_number=uuid.uuid5(SPACE, content),
    )
    made.register_dependency(subject, made.components)
    said = json.loads(JsonV1Dot6(made).output_as_string())
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def _component(one: BundleFile) -> Component:
    kind = ComponentType.CONTAINER if one.kind in CONTAINERS else TYPES.get(one.kind, ComponentType.FILE)
    name, version = _of_wheel(one.name) if one.kind is Kind.WHEELS else (one.name, one.version)
    return Component(
        name=name,
        version=version or None,
        type=kind,
        bom_ref=one.name,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.sha256)],
        properties=[Property(name="archipel:kind", value=one.kind.value)],
    )


def _of_wheel(name: str) -> tuple[str, str]:
    words = name.split("-")
    return words[0], words[1]

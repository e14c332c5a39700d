"""The secrets this machine itself holds, read so that they can be removed from everything else.

Shapes and names find most secrets; what is in these files is found wherever it stands, in every encoding. The files
themselves never get into a bundle.
"""

import json
import re

from archipel_agent.paths import Paths, agent_token_file, identity_of, token_file
from archipel_agent.ports import Files

# Below k3s' data directory (k3s docs, "token" and "secrets-encrypt"; pkg/daemons/control/deps).
K3S_FILES = ("server/token", "server/agent-token", "server/cred/passwd", "server/cred/encryption-config.json")
VALUE = re.compile(
    r"^[ \t]*(?:- )?(?:token|agent-token|client-key-data|password):[ \t]*[\"']?([^\s\"']+)", re.MULTILINE
)
# The middle of `id.secret.pin`; written here so that a machine without a fleet need not load what reads tokens.
ENROLMENT = re.compile(r"\w{8}\.(\w{26})\.\w{26}")
LEAST = 8  # what is shorter is found by name, and would tear ordinary words apart


def secrets(disk: Files, paths: Paths) -> tuple[str, ...]:
    """Return every secret found; files that are not there or cannot be read are passed over."""
    found: set[str] = set()
    for name in K3S_FILES:
        found |= _inside(_text(disk, paths, f"{paths.k3s_data.relative_to(paths.root)}/{name}"))
    for file in (paths.at("etc/rancher/node/password"), agent_token_file(paths)):
        found |= _inside(_text(disk, paths, str(file.relative_to(paths.root))))
    found |= _inside(_text(disk, paths, f"{paths.state.relative_to(paths.root)}/kube/identity.json"))
    drop_ins = paths.k3s_settings / "config.yaml.d"
    places = [paths.k3s_config, paths.kubeconfig, *(drop_ins / name for name in disk.names(drop_ins))]
    for place in places:
        found |= set(VALUE.findall(_text(disk, paths, str(place.relative_to(paths.root)))))
    for place in (identity_of(paths).invitation, token_file(paths)):
        found |= set(ENROLMENT.findall(_text(disk, paths, str(place.relative_to(paths.root)))))
    return tuple(sorted(one for one in found if len(one) >= LEAST))


def _text(disk: Files, paths: Paths, relative: str) -> str:
    try:
        return disk.read(paths.at(relative)).decode(errors="replace")
    except OSError:
        return ""


def _inside(text: str) -> set[str]:
    """Return the secrets of one file: a token with its password, the first field of each line, or JSON's texts."""
    try:
        return _leaves(json.loads(text))
    except (ValueError, RecursionError):
        pass
    found = set()
    for line in text.split():
        first = line.split(",")[0]
        found |= {first, first.rpartition(":")[2]}
    return found


def _leaves(data: object, name: str = "") -> set[str]:
    if isinstance(data, dict):
        return {leaf for key, value in data.items() for leaf in _leaves(value, str(key))}
    if isinstance(data, list):
        return {leaf for value in data for leaf in _leaves(value, name)}
    return {data} if isinstance(data, str) and name in ("secret", "token") else set()

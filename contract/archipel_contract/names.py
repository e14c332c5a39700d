"""Validated names: node ids, site ids and Kubernetes node names.

A node id is the machine's identity towards the fleet (topic, client id, later certificate name); a site id names one
cluster; both are random, so that nothing about the plant leaks through them. Kubernetes node names follow RFC 1123.
Display names are free text and are not handled here.
"""

import re
from collections.abc import Callable

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u to misread on a console
ID_LENGTH = 16  # 80 random bits

NODE_ID = re.compile(rf"n-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
SITE_ID = re.compile(rf"s-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
COMMAND_ID = re.compile(rf"c-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
FLEET_ID = re.compile(rf"f-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
JOB_ID = re.compile(rf"j-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
KEY_ID = re.compile(rf"k-[{ID_ALPHABET}]{{{ID_LENGTH}}}")

# Kubernetes allows subdomain names up to 253 characters for nodes, but the name is also the value of the label
# kubernetes.io/hostname, and label values end at 63.
NODE_NAME_LENGTH = 63
NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

RandomBytes = Callable[[int], bytes]


class NameInvalid(ValueError):
    """A name breaks its rule; the message says which and what would be right."""


def _random_text(random: RandomBytes) -> str:
    return "".join(ID_ALPHABET[byte % 32] for byte in random(ID_LENGTH))


def new_node_id(random: RandomBytes) -> str:
    """Return a new node id such as `n-7k2m9qxf04hvd1et`; `random(n)` gives n random bytes."""
    return "n-" + _random_text(random)


def new_site_id(random: RandomBytes) -> str:
    """Return a new site id such as `s-7k2m9qxf04hvd1et`."""
    return "s-" + _random_text(random)


def new_job_id(random: RandomBytes) -> str:
    """Return a new job id such as `j-7k2m9qxf04hvd1et`."""
    return "j-" + _random_text(random)


def new_command_id(random: RandomBytes) -> str:
    """Return a new id of a command to a node, such as `c-7k2m9qxf04hvd1et`."""
    return "c-" + _random_text(random)


def new_fleet_id(random: RandomBytes) -> str:
    """Return a new id of a fleet, such as `f-7k2m9qxf04hvd1et`."""
    return "f-" + _random_text(random)


def checked_node_name(name: str) -> str:
    """Return `name` when Kubernetes accepts it as a node name; raise NameInvalid with a usable proposal otherwise."""
    if len(name) <= NODE_NAME_LENGTH and NODE_NAME.fullmatch(name) and ".." not in name:
        return name
    raise NameInvalid(
        f"{name!r} cannot be a node name: use at most {NODE_NAME_LENGTH} lower-case letters, digits, '-' and '.', "
        f"for example {proposed_node_name(name)!r}"
    )


def proposed_node_name(text: str) -> str:
    """Return the closest valid node name to `text` (a hostname with capitals or underscores, say); `node` if none."""
    folded = re.sub(r"[^a-z0-9.-]+", "-", text.lower())
    folded = re.sub(r"\.{2,}", ".", folded)[:NODE_NAME_LENGTH].strip("-.")
    return folded or "node"

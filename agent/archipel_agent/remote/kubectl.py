"""`kubectl` from afar: looking only, by an allow-list of verbs, resources and options, as the agent's own read-only account.

What is not on a list is refused; Secrets and what shows them are on none, and the account may not read them either. The
account's token reaches kubectl in a file that only root reads, never in its arguments.
"""

import base64
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from archipel_agent.ports import CommandFailed
from archipel_agent.redact import redact
from archipel_agent.remote import cleaning
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.steps import identity
from archipel_agent.steps.base import StepFailed
from archipel_contract.commands import KUBECTL_VERBS

LOG = logging.getLogger(__name__)
RUN_SECONDS = 60.0
REQUEST_SECONDS = 30  # of one request to the API
TAIL_LINES = 500  # of `logs`, unless fewer or more are asked for
WORDS_LIMIT, WORD_LIMIT = 32, 253  # the length of a name in Kubernetes
PRIVATE = 0o600
SERVER = "https://127.0.0.1:6443"

# Names, short names and plurals as `kubectl api-resources` of k3s lists them. Not here: secrets, and configmaps, in which
# people keep passwords all the same; service accounts and roles, which say whom to attack.
_LOOKED_AT = (
    "all cronjob cronjobs cj daemonset daemonsets ds deployment deployments deploy endpoints ep endpointslice "
    "endpointslices event events ev horizontalpodautoscaler horizontalpodautoscalers hpa ingress ingresses ing job jobs "
    "namespace namespaces ns node nodes no persistentvolume persistentvolumes pv persistentvolumeclaim "
    "persistentvolumeclaims pvc pod pods po replicaset replicasets rs service services svc statefulset statefulsets sts "
    "storageclass storageclasses sc"
)
_LOGGED = (
    "pod pods po deployment deployments deploy daemonset daemonsets ds statefulset statefulsets sts job jobs "
    "replicaset replicasets rs"
)
RESOURCES, LOGGED = frozenset(_LOOKED_AT.split()), frozenset(_LOGGED.split())
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
NUMBER = re.compile(r"[0-9]{1,6}")
SPAN = re.compile(r"[0-9]{1,6}(s|m|h)")
SELECTOR = re.compile(r"[A-Za-z0-9_./=!,() -]{1,253}")
PATH = re.compile(r"[A-Za-z0-9_.\[\]{}]{1,120}")
OUTPUT = re.compile(r"wide|yaml|json|name")
AS_DATA = "--output=json"  # also for yaml: only as data can it be cleaned, and JSON is YAML

# Option -> what its value must look like; None: it takes none. A value follows as a word of its own, or behind `=`.
COMMON: dict[str, re.Pattern[str] | None] = {
    "-n": NAME,
    "--namespace": NAME,
    "-l": SELECTOR,
    "--selector": SELECTOR,
}
EVERYWHERE: dict[str, re.Pattern[str] | None] = {"-A": None, "--all-namespaces": None}
OPTIONS: dict[str, dict[str, re.Pattern[str] | None]] = {
    "get": {
        **COMMON,
        **EVERYWHERE,
        "-o": OUTPUT,
        "--output": OUTPUT,
        "--field-selector": SELECTOR,
        "--show-labels": None,
        "--no-headers": None,
        "--sort-by": PATH,
    },
    "describe": {**COMMON, **EVERYWHERE},
    "logs": {
        **COMMON,
        "-c": NAME,
        "--container": NAME,
        "--all-containers": None,
        "-p": None,
        "--previous": None,
        "--prefix": None,
        "--since": SPAN,
        "--tail": NUMBER,
        "--timestamps": None,
    },
}


class NotAllowed(Exception):
    """kubectl may not be called like this from afar; the message says which word is the reason."""


def allowed(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words for kubectl if every one of them is allowed, options first; raise NotAllowed."""
    if not words or words[0] not in KUBECTL_VERBS:
        raise NotAllowed(f"kubectl may only {', '.join(KUBECTL_VERBS)} from afar")
    if len(words) > WORDS_LIMIT or any(len(word) > WORD_LIMIT for word in words):
        raise NotAllowed(f"at most {WORDS_LIMIT} words of {WORD_LIMIT} characters")
    verb, rest = words[0], list(words[1:])
    options: list[str] = []
    plain: list[str] = []
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options.append(_option(verb, word, rest))
        else:
            plain.append(word)
    (_check_logged if verb == "logs" else _check_named)(plain)
    if verb == "logs" and not any(one.startswith("--tail=") for one in options):
        options.append(f"--tail={TAIL_LINES}")
    return (verb, *options, *plain)


def _option(verb: str, word: str, rest: list[str]) -> str:
    """Return one option in one word, its value taken from behind `=` or from `rest`."""
    name, equals, value = word.partition("=")
    known = OPTIONS[verb]
    if name not in known:
        raise NotAllowed(f"kubectl {verb} from afar does not take {name[:40]!r}")
    pattern = known[name]
    if pattern is None:
        if equals:
            raise NotAllowed(f"{name} takes no value")
        return name
    if not equals:
        if not rest:
            raise NotAllowed(f"{name} needs a value")
        value = rest.pop(0)
    if not pattern.fullmatch(value):
        raise NotAllowed(f"{value[:40]!r} is no value for {name} from afar")
    if value in ("yaml", "json") and pattern is OUTPUT:
        return AS_DATA
    return f"{name}={value}"


def _check_named(plain: list[str]) -> None:
    """Raise NotAllowed unless the words are resources, or resources and names."""
    if not plain:
        raise NotAllowed("say which resource, such as pods")
    if any("/" in word for word in plain):
        for word in plain:
            kind, _, name = word.partition("/")
            _check_resource(kind)
            _check_name(name)
        return
    for kind in plain[0].split(","):
        _check_resource(kind)
    for name in plain[1:]:
        _check_name(name)


def _check_logged(plain: list[str]) -> None:
    """Raise NotAllowed unless the words are a pod (or what makes pods) and perhaps its container."""
    if len(plain) > 2:
        raise NotAllowed("logs takes one pod and one container")
    if plain:
        kind, slash, name = plain[0].rpartition("/")
        if slash and kind not in LOGGED:
            raise NotAllowed(f"{kind[:40]!r} has no logs that may be read from afar")
        for one in (name, *plain[1:]):
            _check_name(one)


def _check_resource(kind: str) -> None:
    if kind not in RESOURCES:
        raise NotAllowed(f"{kind[:40]!r} may not be looked at from afar")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise NotAllowed(f"{name[:40]!r} is no name of an object")


def run(parts: RemoteParts, words: Sequence[str]) -> str:
    """Run kubectl with words that are allowed and return what it says, redacted; raise CommandFailed."""
    disk, paths = parts.ports.disk, parts.paths
    binary = _binary(parts)
    _bring_up_to_date(parts)
    kept = identity.identity_file(paths)
    if not disk.exists(kept):
        raise CommandFailed(
            "this node has no account of its own at a Kubernetes API: ask a server of the site"
        )
    config = paths.runtime / "remote/kubeconfig"
    disk.make_directory(config.parent, 0o700)
    disk.write(config, _kubeconfig(json.loads(disk.read(kept))), PRIVATE)
    cache = f"--cache-dir={config.parent / 'cache'}"
    patience = f"--request-timeout={REQUEST_SECONDS}s"
    try:
        done = parts.ports.runner.run(
            [binary, "kubectl", *words, patience, cache],
            timeout=RUN_SECONDS,
            environment={"KUBECONFIG": str(config)},
        )
    finally:
        disk.remove(config)
    return _clean(parts, words, done.stdout) + shown(parts, done.stderr)


def _bring_up_to_date(parts: RemoteParts) -> None:
    """Give the account of a site that an earlier version has set up the rights that this version's list of verbs takes."""
    disk, paths = parts.ports.disk, parts.paths
    if not disk.exists(paths.kubeconfig) or identity.is_current(disk, paths):
        return  # on an agent node there is no administrator, and nothing to bring up to date
    try:
        identity.make(parts.ports, paths)
    except StepFailed as error:
        LOG.warning("the agent's account at the API stays as it was: %s", error.finding.summary)


def _clean(parts: RemoteParts, words: Sequence[str], said: str) -> str:
    """Return what kubectl said without what people put into pods."""
    if words[0] == "describe":
        return cleaning.description(said, parts.secrets())
    if AS_DATA not in words:
        return shown(parts, said)
    try:
        return cleaning.objects(said, parts.secrets())
    except ValueError as error:
        raise CommandFailed(
            f"what kubectl said cannot be read, and so it is not passed on: {error}"
        ) from error


def shown(parts: RemoteParts, text: str) -> str:
    """Return words of kubectl, redacted."""
    return redact(text, parts.secrets())


def _binary(parts: RemoteParts) -> Path:
    found = parts.paths.k3s_binary
    if not parts.ports.disk.exists(found):
        found = parts.ports.runner.find("k3s") or found
    return found


def _kubeconfig(identity: dict[str, str]) -> bytes:
    """Return a kubeconfig for the agent's account; JSON is YAML."""
    authority = base64.b64encode(identity["ca"].encode()).decode()
    named = {
        "clusters": {"cluster": {"server": SERVER, "certificate-authority-data": authority}},
        "users": {"user": {"token": identity["token"]}},
        "contexts": {"context": {"cluster": "here", "user": "here"}},
    }
    lists = {kind: [{"name": "here", **content}] for kind, content in named.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "here", **lists}).encode()

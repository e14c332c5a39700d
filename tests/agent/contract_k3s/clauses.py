"""The contract: what the agent may count on from K3sHost and KubeApi, one function each, in the order of a k3s' life.

Each takes a ground and brings it to where it needs it, so that it holds alone as well as after the others.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path

from archipel_agent.checks.ports import SIGN as PORT_TAKEN
from archipel_agent.k3s import identity, parse
from archipel_agent.k3s.milestones import milestone
from archipel_agent.ports import CommandFailed, KubeWatch, UnitSpec
from archipel_agent.steps.wait_api import STRANGE_AUTHORITY
from archipel_contract.site import Role
from archipel_contract.status import ServiceState
from tests.agent.contract_k3s.ground import NODE_NAME, Ground

APPLY = "application/apply-patch+yaml"
ALIVE = (ServiceState.STARTING, ServiceState.RUNNING)
SECRET = identity.objects()[-1][0]


def k3s_tells_its_version(ground: Ground) -> None:
    """And what it prints can be read."""
    version = parse.version(ground.k3s.version_text(ground.machine.binary))
    assert parse.version_key(version) > (1, 30, 0, 0, 0)


def a_file_that_is_no_k3s_is_refused_with_its_name(ground: Ground) -> None:
    """Whether it is there or not."""
    ground.machine.write(Path("/root/no-k3s"), b"hello\n", 0o755)
    for path in ("/root/no-k3s", "/root/absent"):
        try:
            ground.k3s.version_text(Path(path))
        except CommandFailed as failed:
            assert path in str(failed)
        else:
            raise AssertionError(f"{path} was taken for a k3s")


def k3s_can_unpack_itself_before_anything_of_it_is_set_up(ground: Ground) -> None:
    """It is asked twice, as after a cut; where nothing could go on by itself its start will do it."""
    for _ in range(2):
        ground.k3s.unpack(ground.machine.binary)
    assert ground.k3s.status().state is ServiceState.ABSENT


def where_k3s_is_not_set_up_nothing_is_there(ground: Ground) -> None:
    """No service, no log, no traces, nobody who answers."""
    assert ground.k3s.status().state is ServiceState.ABSENT
    assert not ground.k3s.service_installed(ground.spec)
    assert ground.k3s.leftovers() == ()
    reply = ground.kube.request("GET", "/readyz")
    assert reply.status == 0
    assert reply.body


def what_is_not_installed_cannot_be_started(ground: Ground) -> None:
    """It fails at once, with a sentence."""
    try:
        ground.k3s.start()
    except CommandFailed as failed:
        assert str(failed)
    else:
        raise AssertionError("it was started")


def an_installed_service_does_not_run_yet(ground: Ground) -> None:
    """And it is told apart from one that is run in another way."""
    ground.installed()
    assert ground.k3s.service_installed(ground.spec)
    other = UnitSpec(argv=(*ground.spec.argv, "--debug"), unit=ground.spec.unit + "\n# other\n")
    assert not ground.k3s.service_installed(other)
    assert ground.k3s.status().state is ServiceState.STOPPED
    ground.k3s.install_service(ground.spec)
    assert ground.k3s.status().state is ServiceState.STOPPED


def a_port_that_is_taken_ends_every_start_and_the_log_says_so(ground: Ground) -> None:
    """The line is one that the check knows."""
    ground.installed()
    ground.machine.take_port()
    ground.k3s.start()
    ground.until(lambda: any(PORT_TAKEN.pattern.search(line) for line in ground.k3s.log(50)), 60)
    ground.until(lambda: ground.k3s.status().state is ServiceState.FAILING, 60)
    ground.k3s.stop()
    ground.machine.free_port()
    assert ground.k3s.status().state is ServiceState.STOPPED


def a_start_returns_at_once_and_a_second_changes_nothing(ground: Ground) -> None:
    """The process is the same one."""
    ground.installed()
    ground.k3s.start()
    first = ground.k3s.status()
    ground.k3s.start()
    second = ground.k3s.status()
    assert first.state in ALIVE
    assert second.state in ALIVE
    assert first.pid == second.pid is not None
    assert first.started_at.endswith("Z")


def the_api_says_that_it_is_not_ready_before_it_is(ground: Ground) -> None:
    """Status 0 while nobody listens, an error while it comes up, 200 at last."""
    ground.installed()
    if ground.k3s.status().state is ServiceState.STOPPED:
        ground.k3s.start()
    seen = []

    def ready() -> bool:
        seen.append(ground.kube.request("GET", "/readyz").status)
        return seen[-1] == 200

    ground.until(ready, 120)
    assert set(seen) <= {0, 401, 403, 500, 503, 200}
    assert seen[0] in (0, 503)


def the_node_registers_under_the_name_we_wrote(ground: Ground) -> None:
    """It becomes Ready, and a moment later is labelled as a server."""
    ground.ready()
    ground.until(lambda: ground.cluster().nodes[0].role is Role.SERVER, 30)
    cluster = ground.cluster()
    assert [(node.name, node.role, node.ready) for node in cluster.nodes] == [(NODE_NAME, Role.SERVER, True)]
    assert parse.version_key(cluster.nodes[0].version) > (1, 30, 0, 0, 0)


def the_core_pods_become_ready(ground: Ground) -> None:
    """Those that are not disabled, and no others; before that each says why not."""
    ground.ready()

    def waiting() -> list[str]:
        pods = ground.cluster().pods
        assert all(pod.reason for pod in pods if not pod.ready)
        return [pod.name for pod in pods if not pod.ready] if len(pods) >= 3 else ["not listed yet"]

    ground.until(lambda: not waiting(), 180)
    names = sorted(pod.name.rsplit("-", 2)[0] for pod in ground.cluster().pods)
    assert names == ["coredns", "local-path-provisioner", "metrics-server"]


def the_log_shows_how_far_it_came(ground: Ground) -> None:
    """Oldest line first, and the last lines when only those are wanted."""
    ground.ready()
    lines = ground.k3s.log(2000)
    assert any("Starting k3s v" in line for line in lines)
    assert milestone(lines) in (
        "k3s is up",
        "the node registers",
        "the pod network starts",
        "the pod network runs",
    )
    assert ground.k3s.log(3) == ground.k3s.log(2000)[-3:] or len(ground.k3s.log(2000)) > len(lines)


def the_kubeconfig_is_for_root_alone(ground: Ground) -> None:
    """As asked for in our configuration."""
    ground.ready()
    assert ground.machine.mode(ground.paths.kubeconfig) == 0o600


def running_pods_leave_traces_in_the_kernel(ground: Ground) -> None:
    """Of each kind that the teardown takes back."""
    the_core_pods_become_ready(ground)
    kinds = {line.split()[0] for line in ground.k3s.leftovers()}
    assert kinds >= {"process", "mount", "network", "link"}


def applying_creates_first_and_then_changes_nothing(ground: Ground) -> None:
    """201, then 200, for everything our identity consists of, and the token is filled in."""
    ground.ready()
    forget(ground)
    for expected in (201, 200):
        for path, body in identity.objects():
            reply = ground.kube.request("PATCH", identity.apply_path(path), identity.apply_body(body), APPLY)
            assert reply.status == expected, (path, reply.body[:300])
    ground.until(lambda: "token" in secret(ground), 30)
    assert set(secret(ground)) == {"token", "ca.crt", "namespace"}


def what_is_not_understood_is_refused(ground: Ground) -> None:
    """An apply that is no apply, and one without the name of its manager."""
    ground.ready()
    path, body = identity.objects()[0]
    sent = identity.apply_body(body)
    assert ground.kube.request("PATCH", f"{path}?fieldManager=x", sent, "text/plain").status == 415
    assert ground.kube.request("PATCH", path, sent, APPLY).status in (400, 422)
    assert ground.kube.request("GET", "/api/v1/namespaces/absent/secrets/absent").status == 404


def an_object_needs_its_namespace(ground: Ground) -> None:
    """A secret cannot be applied into one that is not there."""
    ground.ready()
    path, body = identity.objects()[-1]
    moved = {**body, "metadata": {**body["metadata"], "namespace": "absent"}}
    there = identity.apply_path(path.replace(identity.NAMESPACE, "absent"))
    assert ground.kube.request("PATCH", there, identity.apply_body(moved), APPLY).status == 404


def our_identity_reads_and_no_more(ground: Ground) -> None:
    """Nodes and pods, but no secrets, and nothing is written."""
    with_identity(ground)
    ask = ground.kube.request
    assert [ask("GET", path).status for path in ("/readyz", "/version", "/api/v1/nodes", "/api/v1/pods")] == [
        200
    ] * 4
    assert ask("GET", SECRET).status == 403
    path, body = identity.objects()[0]
    assert ask("PATCH", identity.apply_path(path), identity.apply_body(body), APPLY).status == 403
    assert ask("DELETE", identity.removal_paths()[0]).status == 403
    without_identity(ground)


def a_token_that_is_none_is_not_let_in(ground: Ground) -> None:
    """401, and the administrator's certificate works again once the identity is gone."""
    with_identity(ground, token="no-token")
    assert ground.kube.request("GET", "/version").status == 401
    without_identity(ground)
    assert ground.kube.request("GET", "/version").status == 200


def an_authority_that_is_another_is_not_talked_to(ground: Ground) -> None:
    """Nobody answered, as far as we are concerned."""
    with_identity(ground, authority=OTHER_AUTHORITY)
    reply = ground.kube.request("GET", "/version")
    assert reply.status == 0
    assert STRANGE_AUTHORITY in reply.body
    without_identity(ground)


def a_watch_tells_of_what_comes_and_goes(ground: Ground) -> None:
    """From the version of the list on, each change once, without waiting; nothing while nothing happens."""
    ground.ready()
    forget(ground)
    watch = watched(ground, "/api/v1/namespaces")
    assert watch.arrived() == ()
    path, body = identity.objects()[0]
    ground.kube.request("PATCH", identity.apply_path(path), identity.apply_body(body), APPLY)
    told: list[tuple[str, str]] = []

    def has_told(kind: str) -> bool:
        told.extend(events(watch))
        return (kind, identity.NAMESPACE) in told

    ground.until(lambda: has_told("ADDED"), 30)
    ground.kube.request("DELETE", path)
    ground.until(lambda: has_told("DELETED"), 60)
    assert {name for _, name in told} == {identity.NAMESPACE}
    watch.close()
    assert watch.arrived() is None


def a_watch_from_a_forgotten_version_tells_that_it_is_gone(ground: Ground) -> None:
    """An error with the code 410, or the end; never silence that looks as if nothing had changed."""
    ground.ready()
    watch = ground.kube.watch("/api/v1/nodes?watch=1&resourceVersion=1")

    def is_told() -> bool:
        lines = watch.arrived()
        return lines is None or any(
            one["type"] == "ERROR" and one["object"]["code"] == 410 for one in map(json.loads, lines)
        )

    ground.until(is_told, 30)
    watch.close()


def a_watch_that_is_not_allowed_is_over(ground: Ground) -> None:
    """With a wrong token, and of what our identity may not read."""
    with_identity(ground, token="no-token")
    ends(ground, ground.kube.watch("/api/v1/nodes?watch=1"))
    without_identity(ground)
    with_identity(ground)
    ends(ground, ground.kube.watch("/api/v1/secrets?watch=1"))
    without_identity(ground)


def closing_the_api_ends_its_watches(ground: Ground) -> None:
    """So that nothing goes on with credentials that have been replaced."""
    ground.ready()
    watch = watched(ground, "/api/v1/nodes")
    assert watch.arrived() is not None
    ground.kube.close()
    assert watch.arrived() is None


def a_watch_ends_with_its_k3s(ground: Ground) -> None:
    """A stop is seen at once, and a watch does not go on with the next start."""
    ground.ready()
    watch = watched(ground, "/api/v1/nodes")
    assert watch.arrived() is not None
    ground.k3s.stop()
    ends(ground, watch)
    ends(ground, ground.kube.watch("/api/v1/nodes?watch=1"))
    ground.ready()
    assert watch.arrived() is None


def what_is_deleted_is_gone_in_the_end(ground: Ground) -> None:
    """At once, but for the namespace, which takes its time and what is inside with it."""
    applied(ground)
    assert [ground.kube.request("DELETE", path).status for path in identity.removal_paths()] == [
        200,
        200,
        200,
    ]
    again = [ground.kube.request("DELETE", path).status for path in identity.removal_paths()]
    assert again[:2] == [404, 404]
    ground.until(lambda: ground.kube.request("GET", identity.objects()[0][0]).status == 404, 60)
    assert ground.kube.request("GET", SECRET).status == 404


def stopping_leaves_the_pods_and_a_new_start_finds_them(ground: Ground) -> None:
    """The API is away meanwhile."""
    the_core_pods_become_ready(ground)
    ground.k3s.stop()
    assert ground.k3s.status().state is ServiceState.STOPPED
    assert ground.kube.request("GET", "/readyz").status == 0
    assert any("containerd-shim" in line for line in ground.k3s.leftovers())
    names = {pod.name for pod in ground.ready().pods}
    assert len(names) == 3
    the_core_pods_become_ready(ground)


def ending_the_pods_leaves_no_trace(ground: Ground) -> None:
    """And doing it twice is harmless."""
    ground.ready()
    ground.k3s.stop()
    ground.k3s.stop_pods()
    assert ground.k3s.leftovers() == ()
    ground.k3s.stop_pods()


def a_removed_service_is_absent(ground: Ground) -> None:
    """And removing it twice is harmless."""
    ground.installed()
    ground.k3s.stop()
    ground.k3s.remove_service()
    ground.k3s.remove_service()
    assert ground.k3s.status().state is ServiceState.ABSENT
    assert not ground.k3s.service_installed(ground.spec)


def applied(ground: Ground) -> None:
    """Our identity is in the cluster."""
    ground.ready()
    if "token" not in secret(ground):
        applying_creates_first_and_then_changes_nothing(ground)


def secret(ground: Ground) -> dict[str, str]:
    """The data of our token Secret."""
    reply = ground.kube.request("GET", SECRET)
    data: dict[str, str] = json.loads(reply.body).get("data") or {} if reply.status == 200 else {}
    return data


def forget(ground: Ground) -> None:
    """Nothing of our identity is left."""
    without_identity(ground)
    for path in identity.removal_paths():
        ground.kube.request("DELETE", path)
    ground.until(lambda: ground.kube.request("GET", identity.objects()[0][0]).status == 404, 60)


def with_identity(ground: Ground, token: str = "", authority: str = "") -> None:
    """From here on requests are made with our own identity."""
    applied(ground)
    data = secret(ground)
    content = {
        "token": token or base64.b64decode(data["token"]).decode(),
        "ca": authority or base64.b64decode(data["ca.crt"]).decode(),
    }
    ground.machine.write(ground.identity, json.dumps(content).encode())
    ground.kube.close()


def watched(ground: Ground, path: str) -> KubeWatch:
    """A watch of a list from now on, granted by the API."""
    version = json.loads(ground.kube.request("GET", path).body)["metadata"]["resourceVersion"]
    return ground.kube.watch(f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}")


def events(watch: KubeWatch) -> list[tuple[str, str]]:
    """What a watch that goes on has told: kind and name."""
    lines = watch.arrived()
    assert lines is not None
    read = [json.loads(line) for line in lines]
    return [(one["type"], one["object"]["metadata"]["name"]) for one in read if one["type"] != "BOOKMARK"]


def ends(ground: Ground, watch: KubeWatch) -> None:
    """It is over within seconds."""
    ground.until(lambda: watch.arrived() is None, 30)
    watch.close()


def without_identity(ground: Ground) -> None:
    """From here on requests are made with the administrator's certificate."""
    ground.machine.remove(ground.identity)
    ground.kube.close()


# A certificate authority nobody uses, made for this test.
OTHER_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBjjCCATWgAwIBAgIUYSZdGjSX1DnfVXIrQ45/8ECmSdowCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTIyMDgxNDMxWhgP
MjEyNjEwMjkwODE0MzFaMBwxGjAYBgNVBAMMEWFub3RoZXIgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEtPnwVWCizY8sT8G6VCzW+ysvOeQetwCB
fIrLCOzU8jUealdOctarfKvcs4WeddBKvZSOGk0amNXkoBq7Hwc/+6NTMFEwHQYD
VR0OBBYEFPmLEjBkpTuSsy6pxJeWTTTSW19ZMB8GA1UdIwQYMBaAFPmLEjBkpTuS
sy6pxJeWTTTSW19ZMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIg
E8s2IHhDCTM9ha+4r68cFIpoe4wR0EbcI/hN66Gh+OsCIDrVID7US/dlnN36NLRb
o5Y7qHSyup2bApQKyQf/Ye6o
-----END CERTIFICATE-----
"""

CLAUSES: tuple[Callable[[Ground], None], ...] = (
    k3s_tells_its_version,
    a_file_that_is_no_k3s_is_refused_with_its_name,
    k3s_can_unpack_itself_before_anything_of_it_is_set_up,
    where_k3s_is_not_set_up_nothing_is_there,
    what_is_not_installed_cannot_be_started,
    an_installed_service_does_not_run_yet,
    a_port_that_is_taken_ends_every_start_and_the_log_says_so,
    a_start_returns_at_once_and_a_second_changes_nothing,
    the_api_says_that_it_is_not_ready_before_it_is,
    the_node_registers_under_the_name_we_wrote,
    the_log_shows_how_far_it_came,
    the_kubeconfig_is_for_root_alone,
    the_core_pods_become_ready,
    running_pods_leave_traces_in_the_kernel,
    what_is_not_understood_is_refused,
    an_object_needs_its_namespace,
    applying_creates_first_and_then_changes_nothing,
    our_identity_reads_and_no_more,
    a_token_that_is_none_is_not_let_in,
    an_authority_that_is_another_is_not_talked_to,
    what_is_deleted_is_gone_in_the_end,
    a_watch_tells_of_what_comes_and_goes,
    a_watch_from_a_forgotten_version_tells_that_it_is_gone,
    a_watch_that_is_not_allowed_is_over,
    closing_the_api_ends_its_watches,
    a_watch_ends_with_its_k3s,
    stopping_leaves_the_pods_and_a_new_start_finds_them,
    ending_the_pods_leaves_no_trace,
    a_removed_service_is_absent,
)

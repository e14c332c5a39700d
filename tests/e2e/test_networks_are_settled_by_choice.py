"""The story of a machine in a plant: several networks, one of them where k3s wants its own, no way out, a name with
capitals. Nothing is guessed; what was refused works once it was chosen. One light host, read from top to bottom.
"""

import ipaddress
import json
import re
from collections.abc import Iterator

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout, until
from tests.hosts.lab import Lab
from tests.hosts.offers import IMAGES, K3S
from tests.hosts.plain import PlainHost
from tests.hosts.shell import Completed, Spawned

STORY = True
pytestmark = [pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.own_network]


@pytest.fixture(scope="module")
def person(plain: PlainHost) -> Person:
    """Somebody at a machine with three networks, `Edge-01`, without a default route."""
    plain.add_nic("plant0", "172.20.0.5/24")
    plain.add_nic("plant1", "10.42.7.5/24")
    plain.run(["hostname", "Edge-01"]).ok()
    plain.run(["ip", "route", "delete", "default"]).ok()
    return Person(plain, from_checkout())


def test_several_networks_without_a_choice_are_refused_with_the_commands_that_choose(person: Person) -> None:
    refused = person.up()
    assert refused.code == Exit.REFUSED, refused
    assert refused.finding["code"] == "address-choice"
    for name in ("eth0", "plant0", "plant1"):
        assert any(f"sudo archipel up --interface {name}" in line for line in refused.finding["evidence"])
    assert refused.finding["params"]["command"].startswith("sudo archipel up --interface ")


def test_an_interface_that_is_not_there_is_refused_with_those_that_are(person: Person) -> None:
    refused = person.up("--interface", "eth7")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "interface-absent")
    assert "plant0" in refused.finding["params"]["interfaces"]


def test_a_plant_network_that_overlaps_is_refused_with_networks_that_are_free(person: Person) -> None:
    refused = person.up("--interface", "eth0")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "network-overlap"), refused
    assert "10.42.7.0/24 (plant1)" in refused.finding["params"]["used"]
    assert proposed(refused.finding["params"]["command"])


def proposed(command: str) -> list[str]:
    """The options of a proposed command, if the networks in them are free here."""
    found = re.search(r"--cluster-cidr (\S+) --service-cidr (\S+)", command)
    assert found, command
    pods, services = (ipaddress.ip_network(text) for text in found.groups())
    plant = [ipaddress.ip_network(text) for text in ("10.199.0.0/24", "172.20.0.0/24", "10.42.7.0/24")]
    assert not pods.overlaps(services)
    assert not any(one.overlaps(pods) or one.overlaps(services) for one in plant)
    return found[0].split()


def test_the_choice_and_the_proposed_networks_make_it_a_site_without_a_default_route(person: Person) -> None:
    command = person.up("--interface", "eth0").finding["params"]["command"]
    address = person.host.ip
    up = person.up("--interface", "eth0", "--node-ip", address, *proposed(command), "--images", IMAGES)
    assert up.code == Exit.OK, up
    assert person.ready_nodes() == ["edge-01"]
    (node,) = person.objects("nodes")
    assert {one["type"]: one["address"] for one in node["status"]["addresses"]}["InternalIP"] == address
    pods = ipaddress.ip_network(proposed(command)[1])
    inside = [one["status"]["podIP"] for one in person.objects("pods")]
    assert inside
    assert all(ipaddress.ip_address(one) in pods for one in inside)
    codes = {code: found["severity"] for code, found in person.findings().items()}
    assert codes.get("no-default-route") == "hint"
    assert "problem" not in codes.values()


def test_what_a_site_has_settled_stays_and_asking_for_another_is_refused(person: Person) -> None:
    refused = person.up("--interface", "plant0")
    assert (refused.code, refused.finding["code"]) == (Exit.REFUSED, "site-settled"), refused
    assert refused.finding["params"]["kept"] == "eth0"
    assert person.ready_nodes() == ["edge-01"]


def test_down_and_up_again_end_and_start_all_of_it(person: Person) -> None:
    down = person.asks("down")
    assert down.code == Exit.OK, down
    assert person.processes("containerd-shim-runc-v2") == []
    assert set(person.host.links()) == {"lo", "eth0", "plant0", "plant1"}
    up = person.up()
    assert up.code == Exit.OK, up
    assert person.ready_nodes() == ["edge-01"]


# --- hardening in the cluster, on the same machine -------------------------------------------------------------------

BUSYBOX = "rancher/mirrored-library-busybox:1.37.0"
SECRETS = "/var/lib/rancher/k3s/server"
POLICIES = "/var/lib/rancher/k3s/server/manifests/archipel-policies.yaml"
SERVERS_ONLY = "/v1-k3s/encrypt/status"
RESTRICTED = json.dumps(
    {
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "modest",
                    "image": BUSYBOX,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
    }
)


def answered(person: Person, user: str, token: str, path: str) -> int:
    """The status with which k3s' own listener answers whoever says to be `user` with this token."""
    script = f"curl -sk -o /dev/null -w '%{{http_code}}' -u {user}:{token} https://127.0.0.1:6443{path}"
    return int(person.host.run(["sh", "-c", script]).stdout)


def tokens(person: Person) -> tuple[str, str]:
    """What k3s says servers and agents join with."""
    server, agent = (
        person.host.run(["cat", f"{SECRETS}/{name}"]).ok().stdout.strip() for name in ("token", "agent-token")
    )
    return server, agent


def assert_agents_cannot_join_as_servers(person: Person) -> None:
    (server, agent) = tokens(person)
    assert re.fullmatch(r"K10[0-9a-f]{64}::node:[0-9a-f]{48}", agent), agent[:70]
    servers, agents = (one.rpartition(":")[2] for one in (server, agent))
    assert agents != servers
    assert answered(person, "node", agents, "/v1-k3s/config") == 200
    # It answers 500 until the node has noted how Secrets are encrypted, some seconds after it is ready.
    until(lambda: answered(person, "server", servers, SERVERS_ONLY) == 200, lambda: "servers are not let in")
    assert answered(person, "server", agents, SERVERS_ONLY) in (401, 403)
    assert answered(person, "node", agents, SERVERS_ONLY) in (401, 403)
    assert answered(person, "node", servers, "/v1-k3s/config") in (401, 403)


def test_agents_have_a_token_of_their_own_that_opens_no_server(person: Person) -> None:
    assert_agents_cannot_join_as_servers(person)
    mode = person.host.run(["stat", "-c", "%a %U", "/etc/rancher/k3s/agent-token"]).stdout.strip()
    assert mode == "600 root"


def fetch(person: Person, pod: str, address: str, port: int, namespace: str = "default") -> Completed:
    """Ask for a page out of a pod's network; curl is the host's."""
    own = address_of(person, pod, namespace)
    script = (
        f'for one in /run/netns/*; do if nsenter --net="$one" ip -4 addr | grep -qF " {own}/"; then '
        f'exec nsenter --net="$one" curl -sS -m 2 -o /dev/null http://{address}:{port}/; fi; done; exit 99'
    )
    return person.host.run(["sh", "-c", script])


def reached(person: Person, pod: str, address: str, port: int, namespace: str = "default") -> bool:
    """Whether something answers, be it that there is no such page; refused or without an answer it is not."""
    done = fetch(person, pod, address, port, namespace)
    assert done.rc in (0, 7, 28), done
    return done.rc == 0


def probe(person: Person, name: str, namespace: str = "default") -> str:
    """Run a pod that listens on 8080; return its address."""
    serve = ["httpd", "-f", "-p", "8080", "-h", "/tmp"]
    person.kubectl("run", name, "-n", namespace, f"--image={BUSYBOX}", "--", *serve).ok()
    person.kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=60s").ok()
    return address_of(person, name, namespace)


def address_of(person: Person, name: str, namespace: str = "default") -> str:
    """The address of a pod."""
    return person.kubectl("get", "pod", name, "-n", namespace, "-o", "jsonpath={.status.podIP}").stdout


def of_core_dns(person: Person) -> str:
    """The address of its pod."""
    (pod,) = (one for one in person.objects("pods") if one["metadata"]["labels"].get("k8s-app") == "kube-dns")
    return str(pod["status"]["podIP"])


def test_other_namespaces_reach_dns_in_kube_system_and_nothing_else(person: Person) -> None:
    address = probe(person, "probe")
    person.kubectl("create", "namespace", "elsewhere").ok()
    probe(person, "other", "elsewhere")
    assert reached(person, "other", address, 8080, "elsewhere"), fetch(
        person, "other", address, 8080, "elsewhere"
    )
    inside = probe(person, "inside", "kube-system")
    probe(person, "beside", "kube-system")
    assert reached(person, "beside", inside, 8080, "kube-system")
    until(lambda: not reached(person, "probe", inside, 8080), lambda: fetch(person, "probe", inside, 8080))
    dns = of_core_dns(person)
    assert person.kubectl("exec", "probe", "--", "nslookup", "kubernetes.default.svc.cluster.local").rc == 0
    assert not reached(person, "probe", dns, 9153)
    assert any(name.startswith("coredns-") for name in person.running_pods())
    assert "network-policies-missing" not in person.findings()


def test_a_policy_that_is_gone_is_told_and_its_remedy_brings_it_back(person: Person) -> None:
    inside = address_of(person, "inside", "kube-system")
    person.kubectl("delete", "networkpolicy", "-n", "kube-system", "archipel-inside", "archipel-dns").ok()
    until(lambda: reached(person, "probe", inside, 8080), lambda: fetch(person, "probe", inside, 8080))
    found = person.findings()["network-policies-missing"]
    assert found["params"]["names"] == "kube-system/archipel-inside, kube-system/archipel-dns"
    remedy = found["next_step"].rpartition("archipel ")[2].split()
    assert person.types(*remedy).rc == Exit.OK
    until(lambda: not reached(person, "probe", inside, 8080), lambda: fetch(person, "probe", inside, 8080))
    assert "network-policies-missing" not in person.findings()


def test_an_account_that_hands_out_its_token_again_is_told_and_its_remedy_takes_it_away(
    person: Person,
) -> None:
    account = ["serviceaccount", "default", "-n", "default"]
    person.kubectl("patch", *account, "-p", '{"automountServiceAccountToken":true}').ok()
    found = person.findings()["default-accounts-open"]
    assert found["params"]["names"] == "default"
    remedy = found["next_step"].rpartition("archipel ")[2].split()
    assert person.types(*remedy).rc == Exit.OK
    assert person.kubectl("get", *account, "-o", "jsonpath={.automountServiceAccountToken}").stdout == "false"
    assert "default-accounts-open" not in person.findings()


# --- a second machine, with a stock k3s that Archipel has nothing to do with ---------------------------------------------


@pytest.fixture(scope="module")
def second(lab: Lab, person: Person) -> Iterator[PlainHost]:
    """A machine in the same network whose owner has k3s, its images, and nothing of ours."""
    with PlainHost("second", lab) as host:
        host.offer_k3s()
        host.offer_images("/var/lib/rancher/k3s/agent/images")
        host.allow()
        yield host


def joining(person: Person, role: str, token: str) -> list[str]:
    """The words by which a stock k3s joins the site of `person`."""
    return [K3S, role, "--server", f"https://{person.host.ip}:6443", "--token", token]


@pytest.fixture(scope="module")
def joined(person: Person, second: PlainHost) -> Spawned:
    """The stock agent, once its owner has started it there; it ends with its machine."""
    return second.spawn(joining(person, "agent", tokens(person)[1]))


def as_the_first(person: Person) -> list[str]:
    """What k3s compares before it asks whether a server may join; k3s tells it to agents."""
    network = person.status()["site"]["network"]
    words = [f"--{key.replace('_', '-')}={network[key]}" for key in ("cluster_cidr", "service_cidr")]
    dns = ipaddress.ip_network(network["service_cidr"])[10]
    return [*words, f"--cluster-dns={dns}", "--disable=servicelb", "--secrets-encryption"]


def test_with_the_agents_token_no_server_joins(person: Person, second: PlainHost) -> None:
    words = [*joining(person, "server", tokens(person)[1]), *as_the_first(person)]
    done = second.run(words, timeout=60)
    assert done.rc != 0
    assert "not authorized" in done.stderr, done
    assert second.run(["ls", "/var/lib/rancher/k3s/server/tls"]).stdout == ""


def test_with_the_agents_token_a_stock_agent_joins_and_its_node_becomes_ready(
    person: Person, joined: Spawned
) -> None:
    until(lambda: "second" in person.ready_nodes(), lambda: joined.output()[-3000:])
    found = person.findings()
    assert (found["nodes-joined"]["severity"], found["nodes-joined"]["params"]["names"]) == ("hint", "second")
    assert "problem" not in {one["severity"] for one in found.values()}
    seen = person.status()
    assert sorted(one["name"] for one in seen["cluster"]["nodes"]) == ["edge-01", "second"]
    assert seen["health"] == "healthy"
    assert "1 of 1 nodes ready and 1 joined by hand" in seen["sentence"]


@pytest.mark.prove
def test_a_joined_machine_that_is_gone_is_told_and_is_no_problem_of_the_sites_own(
    person: Person, second: PlainHost, joined: Spawned
) -> None:
    assert joined.rc is None
    second.power_cut()
    until(lambda: "second" not in person.ready_nodes(), lambda: person.objects("nodes"), 180)
    found = person.findings()
    away = found["nodes-joined-away"]
    assert (away["severity"], away["params"]["names"]) == ("warning", "second")
    assert "problem" not in {one["severity"] for one in found.values()}, found
    assert person.status()["health"] == "healthy"
    remedy = away["next_step"].rpartition("archipel ")[2].split()
    assert person.types(*remedy).rc == Exit.OK
    until(
        lambda: not {"nodes-joined", "nodes-joined-away"} & set(person.findings()),
        lambda: person.objects("nodes"),
    )


@pytest.mark.prove
def test_metrics_are_read_through_the_closed_namespace(person: Person) -> None:
    up = person.asks("up", "--component", "metrics-server")
    assert up.code == Exit.OK, up
    assert_agents_cannot_join_as_servers(person)  # a restart later, k3s still takes the same two
    until(
        lambda: {"coredns", "metrics-server"} <= {name.rsplit("-", 2)[0] for name in person.running_pods()},
        person.running_pods,
    )
    until(lambda: person.kubectl("top", "nodes").rc == 0, lambda: person.kubectl("top", "nodes"))


@pytest.mark.prove
def test_strict_hardening_is_a_wish_that_can_be_taken_back(person: Person) -> None:
    planned = person.asks("up", "--hardening", "strict", "--plan")
    assert "hardening-strict" in [one["code"] for one in planned.document["findings"]]
    address = address_of(person, "probe")
    assert reached(person, "other", address, 8080, "elsewhere")
    up = person.asks("up", "--hardening", "strict")
    assert up.code == Exit.OK, up
    until(
        lambda: not reached(person, "other", address, 8080, "elsewhere"),
        lambda: person.objects("networkpolicies"),
    )
    refused = person.kubectl("run", "rooted", f"--image={BUSYBOX}")
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr
    person.kubectl(
        "run", "modest", f"--image={BUSYBOX}", "--dry-run=server", f"--overrides={RESTRICTED}"
    ).ok()
    person.kubectl("label", "namespace", "elsewhere", "pod-security.kubernetes.io/enforce=baseline").ok()
    found = person.findings()["hardening-exception-unexplained"]
    assert found["evidence"] == ["namespace elsewhere (baseline): "]
    person.kubectl("annotate", "namespace", "elsewhere", "archipel/reason=cameras, until 2027").ok()
    assert person.findings()["hardening-exception"]["evidence"] == [
        "namespace elsewhere (baseline): cameras, until 2027"
    ]
    back = person.asks("up", "--hardening", "standard")
    assert back.code == Exit.OK, back
    until(
        lambda: reached(person, "other", address, 8080, "elsewhere"),
        lambda: person.objects("networkpolicies"),
    )
    person.kubectl("run", "rooted", f"--image={BUSYBOX}").ok()
    assert {one["metadata"]["namespace"] for one in person.objects("networkpolicies")} == {"kube-system"}
    assert not {"hardening-exception", "network-policies-missing"} & set(person.findings())

"""What kubectl may do from afar: a list of what is allowed, and everything else refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.ports import CommandFailed
from archipel_agent.remote import kubectl
from archipel_agent.remote.kubectl import NotAllowed, allowed
from archipel_contract.commands import KUBECTL_VERBS, Action
from tests.agent.remote.hands import Hands
from tests.fakes.processes import ScriptedRunner

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"

ALLOWED = {
    "get pods": "get pods",
    "get pods -A -o wide": "get -A -o=wide pods",
    "get pods,svc -n kube-system": "get -n=kube-system pods,svc",
    "get deploy/web deploy/db -o yaml": "get --output=json deploy/web deploy/db",
    "get nodes edge-07 -o=json": "get --output=json nodes edge-07",
    "get events --sort-by .lastTimestamp": "get --sort-by=.lastTimestamp events",
    "describe pod web-0 -n shop": "describe -n=shop pod web-0",
    "logs web-0 -c app --tail 20": "logs -c=app --tail=20 web-0",
    "logs deploy/web --previous": "logs --previous --tail=500 deploy/web",
}
REFUSED = (
    "",
    "delete pods web-0",
    "exec web-0 -- sh",
    "get",
    "get secrets",
    "get secret",
    "get secret/db",
    "get pods,secrets",
    "get pod/web secret/db",
    "get secrets.v1.",
    "get Secrets",
    "get configmaps",
    "get serviceaccounts",
    "get pods -o jsonpath={.items}",
    "get pods -o=go-template={{.}}",
    "get pods -o custom-columns=A:.b",
    "get --raw /api/v1/secrets",
    "get --raw=/api/v1/secrets pods",
    "get pods -w",
    "get pods --watch",
    "get pods --watch-only",
    "get pods --kubeconfig /etc/rancher/k3s/k3s.yaml",
    "get pods --kubeconfig=/etc/rancher/k3s/k3s.yaml",
    "get pods --server=https://elsewhere",
    "get pods -s https://elsewhere",
    "get pods --token abc",
    "get pods --as system:admin",
    "get pods --as-group=system:masters",
    "get pods --insecure-skip-tls-verify",
    "get pods --context x",
    "get pods --cache-dir=/etc",
    "get -f /etc/shadow",
    "get -k /etc",
    "get pods --template=/etc/shadow",
    "get pods --v=9",
    "get pods -v 9",
    "get pods -nkube-system",
    "get pods -n",
    "get pods -n ../..",
    "get pods -A=true",
    "get pods --",
    "get pods -- secrets",
    "logs web-0 -f",
    "logs web-0 --follow",
    "logs web-0 --tail=-1",
    "logs secret/web",
    "logs a b c",
    "describe secrets",
    "describe",
    "get " + " ".join(["pods"] * 40),
    "get " + "p" * 300,
)


@pytest.mark.parametrize("asked", ALLOWED)
def test_what_only_looks_is_allowed_and_every_option_becomes_one_word(asked: str) -> None:
    assert " ".join(allowed(asked.split())) == ALLOWED[asked]


@pytest.mark.parametrize("asked", REFUSED)
def test_whatever_is_on_no_list_is_refused(asked: str) -> None:
    with pytest.raises(NotAllowed):
        allowed(asked.split())


@given(
    st.lists(
        st.sampled_from([*KUBECTL_VERBS, "pods", "secret", "--raw", "-n", "-f", "-o", "yaml", "a/b", "="])
        | st.text()
    )
)
def test_nothing_gets_past_the_lists_that_is_not_on_them(words: list[str]) -> None:
    try:
        verb, *rest = allowed(words)
    except NotAllowed:
        return
    assert verb in KUBECTL_VERBS
    options = [word for word in rest if word.startswith("-")]
    plain = [word for word in rest if not word.startswith("-")]
    assert all(word.partition("=")[0] in kubectl.OPTIONS[verb] for word in options)
    kinds = {kind for kind in plain[0].partition("/")[0].split(",")} if plain else set()
    assert verb == "logs" or kinds <= kubectl.RESOURCES


def looking(runner: ScriptedRunner, token: str = TOKEN) -> Hands:
    """Return a node with an account at its API, and commands that answer as scripted."""
    hands = Hands()
    ports = replace(hands.machine.ports, runner=runner, clock=hands.clock)
    runner.disk = ports.disk
    identity = json.dumps({"token": token, "ca": "-----BEGIN CERTIFICATE-----"}).encode()
    ports.disk.write(Path("/var/lib/archipel/kube/identity.json"), identity, 0o600)
    ports.disk.write(Path("/usr/local/bin/k3s"), b"", 0o755)
    hands.fields["ports"] = ports
    hands.start()
    return hands


def ask(hands: Hands, *words: str) -> tuple[str, str]:
    """Order kubectl; return outcome and code."""
    hands.hear(hands.command(Action.KUBECTL, arguments={"arguments": list(words)}))
    hands.work()
    return hands.link.outcomes()[-1][1:]


def test_kubectl_looks_with_the_agents_own_account_whose_token_no_argument_shows() -> None:
    runner = ScriptedRunner("NAME READY\nweb-0 1/1\n")
    hands = looking(runner)
    assert ask(hands, "get", "pods") == ("done", "")
    assert hands.link.data("c-0000000000000001") == b"NAME READY\nweb-0 1/1\n"
    ((argv, environment),) = runner.calls
    assert argv[:4] == ("/usr/local/bin/k3s", "kubectl", "get", "pods")
    assert TOKEN not in " ".join(argv)
    assert not hands.machine.ports.disk.exists(Path(environment["KUBECONFIG"]))  # it was there only meanwhile
    assert TOKEN in runner.seen[0].decode()


POD = {
    "kind": "Pod",
    "metadata": {"annotations": {"last-applied": "value: hunter2"}, "name": "web-0"},
    "spec": {
        "containers": [
            {
                "args": ["--pin", "hunter2"],
                "command": ["sh", "-c", "echo hunter2"],
                "env": [
                    {"name": "HARMLESS", "value": "hunter2\nhunter2"},
                    {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
                ],
                "image": "web:1",
            }
        ]
    },
}
DESCRIBED = """\
Name:             web-0
Annotations:      note: hunter2
                  kubectl.kubernetes.io/last-applied-configuration:
                    {"env":[{"name":"A","value":"hunter2"}]}
Status:           Running
Containers:
  app:
    Image:  web:1
    Command:
      sh
      -c
      echo hunter2
    Args:
      --pin=hunter2
    State:  Running
    Environment:
      HARMLESS:  hunter2
hunter2-too
        hunter2
      KEY:       <set to the key 'x' in secret 'y'>  Optional: false
      IP:         (v1:status.podIP)
    Mounts:
      /data from data (rw)
Events:           <none>
"""


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_objects_come_without_what_people_put_into_pods(output: str) -> None:
    hands = looking(ScriptedRunner(json.dumps({"kind": "List", "items": [POD]})))
    assert ask(hands, "get", "pods", "-o", output) == ("done", "")
    said = hands.link.data("c-0000000000000001").decode()
    pod = json.loads(said)["items"][0]
    assert "hunter2" not in said
    assert pod["spec"]["containers"][0]["image"] == "web:1"
    assert [one["name"] for one in pod["spec"]["containers"][0]["env"]] == ["HARMLESS", "DB"]


def test_what_cannot_be_cleaned_is_not_passed_on() -> None:
    hands = looking(ScriptedRunner("value: hunter2\n"))
    assert ask(hands, "get", "pods", "-o", "json") == ("failed", "order-failed")
    assert hands.link.data("c-0000000000000001") == b""


def test_a_description_comes_without_what_people_put_into_pods() -> None:
    hands = looking(ScriptedRunner(DESCRIBED))
    ask(hands, "describe", "pod", "web-0")
    said = hands.link.data("c-0000000000000001").decode()
    assert "hunter2" not in said
    for kept in (
        "Status:           Running",
        "HARMLESS:",
        "secret 'y'",
        "(v1:status.podIP)",
        "/data from data",
        "<none>",
    ):
        assert kept in said


def test_secrets_in_what_kubectl_says_are_removed() -> None:
    hands = looking(ScriptedRunner(f"password: hunter2hunter2\ntoken: {TOKEN}\n"))
    ask(hands, "logs", "web-0")
    said = hands.link.data("c-0000000000000001").decode()
    assert "hunter2hunter2" not in said and TOKEN not in said


def test_an_order_that_is_not_allowed_starts_nothing() -> None:
    runner = ScriptedRunner("")
    hands = looking(runner)
    assert ask(hands, "get", "secrets") == ("refused", "order-unfit")
    assert runner.calls == []


def test_a_kubectl_that_fails_says_so_and_what_it_said() -> None:
    hands = looking(ScriptedRunner(CommandFailed("kubectl ended with code 1", 1, "", "Error: forbidden\n")))
    assert ask(hands, "get", "pods") == ("failed", "order-failed")
    assert hands.link.data("c-0000000000000001") == b"Error: forbidden\n"


def test_a_node_without_an_account_says_whom_to_ask() -> None:
    hands = Hands()
    assert ask(hands, "get", "pods") == ("failed", "order-failed")

"""Network policies: what each profile closes and lets in, and what of them the cluster is seen to hold."""

import json
from dataclasses import replace
from typing import Any

import pytest

from archipel_agent.k3s.config import admission_text, k3s_files
from archipel_agent.k3s.hardening_seen import LABEL, REASON, seen
from archipel_agent.k3s.policies import CLOSED, Policy, manifest, path_of, policies
from archipel_agent.paths import Paths, agent_token_file, policies_file
from archipel_agent.ports import Ports
from archipel_contract.site import COMPONENTS, Hardening, SiteDocument
from tests.agent.checks.machines import GOOD
from tests.chaos.node import Node
from tests.fakes.printing import AnsweringKubeApi

assert GOOD.site is not None
SITE = GOOD.site
EVERYTHING = replace(SITE, components=COMPONENTS)
STRICT = replace(EVERYTHING, hardening=Hardening.STRICT)
PATHS = Paths()


def named(site: SiteDocument) -> dict[str, Policy]:
    return {"{namespace}/{name}".format(**one["metadata"]): one for one in policies(site)}


def lets_in(policy: Policy, namespace: str, port: int) -> bool:
    """Whether a policy lets in what comes from a pod without labels in `namespace`, to a pod that it is about."""
    is_home = namespace == policy["metadata"]["namespace"]
    for rule in policy["spec"]["ingress"]:
        from_there = "from" not in rule or any(
            "namespaceSelector" not in one for one in rule["from"] if is_home
        )
        if from_there and port in [one["port"] for one in rule.get("ports", [{"port": port}])]:
            return True
    return False


@pytest.mark.parametrize(
    ("name", "namespace", "port", "let_in"),
    [
        ("inside", "kube-system", 9153, True),
        ("inside", "default", 9153, False),
        ("dns", "default", 53, True),
        ("dns", "default", 9153, False),
        ("metrics", "default", 10250, True),
        ("traefik", "default", 8000, True),
        ("servicelb", "default", 80, True),
    ],
)
def test_kube_system_is_closed_but_for_what_others_need(
    name: str, namespace: str, port: int, let_in: bool
) -> None:
    assert lets_in(named(EVERYTHING)[f"kube-system/archipel-{name}"], namespace, port) is let_in


def test_what_does_not_run_needs_no_way_in() -> None:
    assert set(named(SITE)) == {f"kube-system/archipel-{name}" for name in ("inside", "dns", "metrics")}


def test_strict_closes_what_k3s_makes_and_keeps_the_ingress_open() -> None:
    more = set(named(STRICT)) - set(named(EVERYTHING))
    closed = {f"{namespace}/archipel-inside" for namespace in CLOSED}
    assert more == closed | {"default/archipel-traefik", "default/archipel-servicelb"}
    assert not any(lets_in(named(STRICT)[name], "elsewhere", 80) for name in more)
    assert set(named(EVERYTHING)) < set(named(STRICT))


def test_strict_enforces_what_standard_only_warns_of() -> None:
    texts = {level: admission_text(level) for level in Hardening}
    assert 'enforce: "baseline"' in texts[Hardening.STANDARD]
    assert 'enforce: "restricted"' in texts[Hardening.STRICT]
    assert all(text.count('warn: "restricted"') == 1 and "$" not in text for text in texts.values())


def test_the_manifest_holds_each_policy_once_as_a_document_of_its_own() -> None:
    documents = [json.loads(one) for one in manifest(STRICT).split("---\n")[1:]]
    assert documents == list(policies(STRICT))


def test_the_token_of_agents_lies_in_a_file_of_its_own_and_nowhere_else() -> None:
    files = k3s_files(SITE, SITE.nodes[0].node_id, "server-word", PATHS, "agent-word")
    assert files[agent_token_file(PATHS)] == (b"agent-word\n", 0o600)
    holders = {path for path, (content, _) in files.items() if b"agent-word" in content}
    assert holders == {agent_token_file(PATHS)}
    assert f'agent-token-file: "{agent_token_file(PATHS)}"' in files[PATHS.k3s_config][0].decode()


def test_a_site_without_one_is_not_given_the_setting() -> None:
    files = k3s_files(SITE, SITE.nodes[0].node_id, "server-word", PATHS)
    assert agent_token_file(PATHS) not in files
    assert b"agent-token" not in files[PATHS.k3s_config][0]
    assert policies_file(PATHS) in files


def ports(
    answers: dict[str, Any], server: str = "K10aa::server:one", agent: str = "K10aa::node:two"
) -> Ports:
    """A machine whose k3s has written these tokens, and whose API answers so."""
    node = Node()
    place = node.paths.k3s_data / "server"
    node.disk.write(place / "token", server.encode())
    node.disk.write(place / "agent-token", agent.encode())
    kube = AnsweringKubeApi({path: json.dumps(body).encode() for path, body in answers.items()})
    return replace(node.ports, kube=kube)


def in_force(site: SiteDocument) -> dict[str, Any]:
    return {path_of(one): {**one, "status": {}} for one in policies(site)}


def test_policies_as_they_were_written_are_not_missing() -> None:
    found = seen(ports(in_force(STRICT)), PATHS, STRICT)
    assert (found.asked, found.missing, found.shared_token) == (True, (), False)


def test_a_policy_that_was_opened_by_hand_is_told() -> None:
    answers = in_force(SITE)
    changed = next(path for path in answers if path.endswith("archipel-inside"))
    answers[changed]["spec"] = {**answers[changed]["spec"], "ingress": [{}]}
    assert seen(ports(answers), PATHS, SITE).missing == ("kube-system/archipel-inside",)


def test_an_api_that_does_not_answer_makes_nothing_missing() -> None:
    found = seen(ports({}), PATHS, SITE)
    assert (found.asked, found.missing) == (False, ())


def test_servers_and_agents_with_one_token_are_seen() -> None:
    same = "K10aa::server:one"
    assert seen(ports({}, same, same), PATHS, SITE).shared_token is True


def test_namespaces_that_are_enforced_less_are_seen_with_their_reason() -> None:
    def space(name: str, level: str, reason: str = "") -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {LABEL: level}, "annotations": {REASON: reason}}}

    items = [space("a", "privileged", "cameras"), space("b", "baseline"), space("c", "restricted")]
    answers = {"/api/v1/namespaces": {"items": [*items, {"metadata": {"name": "plain"}}]}}
    assert seen(ports(answers), PATHS, SITE).lowered == (("a", "privileged", "cameras"),)
    assert [name for name, _, _ in seen(ports(answers), PATHS, STRICT).lowered] == ["a", "b"]


LISTED = "/api/v1/serviceaccounts"


def account(namespace: str, **said: Any) -> dict[str, Any]:
    """A default account as the API lists it."""
    annotations = {REASON: said.pop("reason")} if "reason" in said else None
    return {"metadata": {"name": "default", "namespace": namespace, "annotations": annotations}, **said}


def test_default_accounts_that_hand_out_their_token_again_are_seen_with_their_reason() -> None:
    items = [
        account("default", automountServiceAccountToken=True),
        account("kube-public", reason="a gateway"),  # nothing said: Kubernetes hands out
        account("kube-node-lease", automountServiceAccountToken=False),
        account("kube-system"),
        account("cameras"),
    ]
    found = seen(ports({**in_force(SITE), LISTED: {"items": items}}), PATHS, SITE)
    assert found.handing == (("default", ""), ("kube-public", "a gateway"))


def test_accounts_that_our_identity_may_not_read_yet_are_no_finding() -> None:
    assert seen(ports(in_force(SITE)), PATHS, SITE).handing == ()


def test_an_api_that_has_not_answered_is_not_asked_for_accounts_too() -> None:
    items = [account("default", automountServiceAccountToken=True)]
    assert seen(ports({LISTED: {"items": items}}), PATHS, SITE).handing == ()

"""No secret of any known kind survives redaction, wherever it stands; ordinary lines come through unchanged."""

import base64
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archipel_agent.redact import is_secret_name, redact, redact_data, redact_lines
from tests.agent.planted import KINDS

MACHINES = Path(__file__).resolve().parents[1] / "machines"
SEEDS = st.binary(min_size=8, max_size=8)
AROUND = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\x85\u2028\u2029"), max_size=60)
NASTY = st.sampled_from(
    ['"', "'", "{", '{"a": "', "password=", "token: ", "-----BEGIN PRIVATE KEY-----", "\\", "K10", "|"]
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(seed=SEEDS, before=st.one_of(AROUND, NASTY), after=st.one_of(AROUND, NASTY))
def test_a_secret_of_this_kind_never_survives(kind: str, seed: bytes, before: str, after: str) -> None:
    text, secrets = KINDS[kind](seed)
    shown = redact(f"{before}\n{text}\n{after}")
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_of_the_text_stays_useful(kind: str) -> None:
    text, _ = KINDS[kind](b"eightbyt")
    shown = redact(f"first line\n{text}\nlast line")
    assert shown.startswith("first line\n") and shown.endswith("\nlast line")
    assert "[removed]" in shown and redact(shown) == shown
    names = re.findall(
        r"\b(?:node-name|username|etcd-s3-bucket|ListenPort|ssid|key_file|--debug|--node-name|host)\b", text
    )
    assert all(name in shown for name in names)


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(KINDS)), seed=SEEDS)
def test_a_secret_inside_json_leaves_it_json(kind: str, seed: bytes) -> None:
    text, secrets = KINDS[kind](seed)
    data = redact_data({"evidence": [text, {"more": text}]})
    written = json.dumps(data, ensure_ascii=False)
    assert json.loads(written) == data
    assert [secret for secret in secrets if secret in written] == []


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=6, max_size=40).map(
        str.strip
    ),
    before=AROUND,
    after=AROUND,
)
def test_a_known_secret_never_survives_in_any_encoding(secret: str, before: str, after: str) -> None:
    packed = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    shown = redact(f"{before}{secret}{after} {json.dumps(secret)} {packed}", [secret])
    assert secret not in shown.replace("[removed]", "")
    for word in re.findall(r"[A-Za-z0-9+/=]{8,}", shown):
        if len(word) % 4 == 0:
            assert secret.encode() not in base64.b64decode(word)


def test_known_secrets_of_a_few_letters_do_not_tear_words_apart() -> None:
    assert redact("the pod is not ready", ["a", "is", "", "  "]) == "the pod is not ready"


ORDINARY = """\
level=info msg="Active TLS secret kube-system/k3s-serving (ver=215) (count 10): map[listener]"
E1122 07:39:29.6 146 kubelet_node_status.go:479] "Error" err="error getting node \\"token\\": node \\"token\\" x"
I1122 08:00:00.0 1 event.go:389] "Event" object="default/boxone.18ea4e17dc40b93f" secret="kube-system/k3s-serving"
time="2026-11-22T07:39:29Z" level=info msg="To join node to cluster: k3s agent -s https://192.0.2.7:6443 -t ${NODE_TOKEN}"
Managed etcd cluster bootstrap already complete, please pass --token to complete the restoration
failed to fetch token: serviceaccounts "archipel-agent" not found
failed to validate token: token CA hash does not match the Cluster CA certificate hash
kube-apiserver --service-account-key-file=/var/lib/rancher/k3s/server/tls/service.key --secrets-encryption=true
--kubelet-client-key=/var/lib/rancher/k3s/server/tls/client-kube-apiserver.key --enable-bootstrap-token-auth=true
pulled docker.io/rancher/mirrored-pause@sha256:74c4244427b7312c5b901fe0f67cbc53683d06f4f24c6faee65d4182bf0fa893
GET https://192.0.2.7:5000/v2/pause@sha256:74c4244427b7312c5b901fe0f67cbc53683d06f4f24c6faee65d4182bf0fa893
automountServiceAccountToken: false
secretName: db-password
token-file: /etc/rancher/k3s/join-token
service-account-extend-token-expiration=false
-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBADAKBggqhkjOPQQDAjAjMSEwHwYDVQQDDBhrM3Mtc2Vy
-----END CERTIFICATE-----
level=info msg="Annotations and labels have been set successfully on node: box"
Basic authentication is not offered; bearer authentication is
etc-hosts kubernetes.default.svc.cluster.local containerd.configuration01x
path=/run/k3s/containerd/containerd.sock uid=0f9d0f7c-8c2e-4f6c-9c6e-2d7d6d0a3a55 hash=1f3870be274f6c49
node-args: ["server","--token","********","--node-name","box"]
vpn-auth value: name=<vpn-provider>,joinKey=<key>[,controlServerURL=<url>]
the CA's pin is 7k2m9qxf04hvd1et7k2m9qxf04, the token's ca-pin is 0123456789abcdefghjkmnpqrs
enrolled as n-7k2m9qxf04hvd1et by token 7k2m9qxf, claim code 7k2m-9qxf-04hv, signed by k-7k2m9qxf04hvd1et
gpio pin: 17 is high, pins 17 and 18 are not; controller ed25519:7k2m9qxf04hvd1et7k2m9qxf04hvd1et7k2m9qxf04w=
"""


@pytest.mark.parametrize("line", ORDINARY.splitlines())
def test_an_ordinary_line_comes_through_unchanged(line: str) -> None:
    assert redact(line) == line


def test_captured_logs_of_real_machines_come_through_unchanged() -> None:
    logs = sorted(path for path in MACHINES.rglob("*") if path.suffix in (".log", ".txt"))
    if not logs:
        pytest.skip("no captured logs in tests/machines")
    changed = []
    for path in logs:
        for line in path.read_text(errors="replace").splitlines():
            # What the datastore prints of a Secret is the one thing in such logs that must go.
            if redact(line) != line and "/registry/secrets/" not in line:
                changed.append(f"{path.name}: {line[:200]}")
    assert changed == []


def test_a_megabyte_of_log_is_done_within_seconds() -> None:
    text = ORDINARY * (1_000_000 // len(ORDINARY)) + "a" * 200_000 + " " + "token " * 20_000 + '"' * 20_000
    begun = time.monotonic()
    assert len(redact(text)) > 0
    assert time.monotonic() - begun < 8


def test_a_key_that_spans_log_lines_is_removed_as_a_whole() -> None:
    text, body = KINDS["private key"](b"spanning")
    shown = redact_lines(["before", *text.split("\n"), "after"])
    assert shown[0] == "before" and shown[-1] == "after"
    assert not any(part in line for part in body for line in shown)


def test_values_are_removed_by_the_name_of_their_key() -> None:
    data = {
        "db_password": "plain",
        "K3S_TOKEN": "word",
        "secretName": "db",
        "token": "",
        "env": [{"name": "DB_PASSWORD", "value": "simple"}, {"name": "HOME", "value": "/root"}],
        "nested": {"clientSecret": "letters", "count": 3, "on": True, "none": None},
    }
    assert redact_data(data) == {
        "db_password": "[removed]",
        "K3S_TOKEN": "[removed]",
        "secretName": "db",
        "token": "",
        "env": [{"name": "DB_PASSWORD", "value": "[removed]"}, {"name": "HOME", "value": "/root"}],
        "nested": {"clientSecret": "[removed]", "count": 3, "on": True, "none": None},
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [("token", True), ("k3s_agent_token", True), ("apiKey", True), ("wpa_psk", True), ("secret-key", True),
     ("token-file", False), ("tokenReview", False), ("secretName", False), ("path", False), ("author", False)],
)  # fmt: skip
def test_a_name_says_whether_it_holds_a_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret

"""Keys in a token: signatures of a real one (SoftHSM), addresses, and refusals that say what is missing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.trust.store import TrustStore
from archipel_fleet.trust import authoring, keyfile, pkcs11
from archipel_fleet.trust.pkcs11 import TokenAddress, TokenSigner, parse
from archipel_fleet.trust.refusal import KeysRefused
from tests.contract.trust.made import CONTROLLER, FLEET
from tests.fleet.trust.changing import AT
from tests.fleet.trust.test_authoring import CA

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "48151623"
ED25519 = b"\x13\x0cedwards25519"  # the curve's name as a printable string: CKA_EC_PARAMS of PKCS#11 3.0
P256 = bytes.fromhex("06082a8648ce3d030107")  # its object identifier


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A software token with an Ed25519 and a P-256 key; the file that holds its PIN."""
    library: Any = pytest.importorskip("pkcs11")
    if not Path(MODULE).exists():
        pytest.skip("SoftHSM is not installed")
    place = tmp_path_factory.mktemp("token")
    (place / "tokens").mkdir()
    (place / "conf").write_text(
        f"directories.tokendir = {place}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(place / "conf")
    made = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        "roots",
        "--pin",
        PIN,
        "--so-pin",
        "12345678",
    ]
    subprocess.run(made, check=True, capture_output=True, timeout=10)
    with library.lib(MODULE).get_token(token_label="roots").open(rw=True, user_pin=PIN) as session:
        for label, kind, curve, mechanism in (
            ("root", library.KeyType.EC_EDWARDS, ED25519, library.Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            ("point", library.KeyType.EC, P256, library.Mechanism.EC_KEY_PAIR_GEN),
        ):
            curve_of = session.create_domain_parameters(
                kind, {library.Attribute.EC_PARAMS: curve}, local=True
            )
            curve_of.generate_keypair(mechanism=mechanism, store=True, label=label)
    (place / "pin").write_text(f"{PIN}\n")
    yield place / "pin"
    library.unload(MODULE)
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def asked(question: str) -> str:
    """The PIN, typed."""
    assert "PIN" in question
    return PIN


def address(label: str, pin: Path | None = None, token: str = "roots") -> str:
    """How one names a key in it."""
    more = f"&pin-source=file:{pin}" if pin else ""
    return f"pkcs11:token={token};object={label}?module-path={MODULE}{more}"


@pytest.mark.real_process
@pytest.mark.parametrize(("label", "algorithm"), [("root", "ed25519"), ("point", "p256")])
def test_a_root_in_a_token_signs_what_every_device_accepts(token: Path, label: str, algorithm: str) -> None:
    root = keyfile.signer(address(label), asked)
    assert root.public.algorithm == algorithm
    document = authoring.first(
        FLEET, "plant", (str(root.public),), 1, authoring.controller(CONTROLLER.public), CA
    )
    frame = authoring.countersigned(authoring.draft(document, AT), root)
    assert TrustStore.first(frame).document == document
    root.public.verify(b"twice", root.sign(b"twice"))
    assert root.key_id == root.public.key_id


@pytest.mark.real_process
def test_the_pin_can_come_from_a_file_and_then_nobody_is_asked(token: Path) -> None:
    def never(question: str) -> str:
        raise AssertionError(question)

    signer = TokenSigner(parse(address("root", token)), never)
    signer.public.verify(b"x", signer.sign(b"x"))


@pytest.mark.real_process
@pytest.mark.parametrize(
    ("where", "pin", "word"),
    [
        (address("root"), "00000000", "PIN is wrong"),
        (address("nothing"), PIN, "no such key"),
        (address("root", token="other"), PIN, "no such token"),
        (address("root", Path("/nowhere/pin")), PIN, "/nowhere/pin"),
        ("pkcs11:token=roots;object=root?module-path=/nowhere.so", PIN, "/nowhere.so"),
    ],
)
def test_what_does_not_work_is_said_in_words_and_without_the_pin(
    token: Path, where: str, pin: str, word: str
) -> None:
    with pytest.raises(KeysRefused) as caught:
        TokenSigner(parse(where), lambda _: pin)
    assert caught.value.code == "fleet-token-unusable"
    assert word in str(caught.value)
    assert pin not in str(caught.value)


def test_an_address_says_where_and_never_holds_the_pin() -> None:
    said = parse(
        "pkcs11:token=my%20root;serial=ab;object=root;type=private?module-path=/m.so&pin-source=file:/pin"
    )
    assert said == TokenAddress(
        module="/m.so", object="root", token="my root", serial="ab", pin_source="/pin"
    )
    assert "my root" in str(said)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("pkcs11:token=a;object=b?module-path=/m.so&pin-value=1234", "does not belong"),
        ("pkcs11:token=a?module-path=/m.so", "needs object"),
        ("pkcs11:token=a;object=b", "needs object"),
        ("pkcs11:token=a;objekt=b?module-path=/m.so", "objekt"),
        ("pkcs11:", "needs object"),
    ],
)
def test_an_address_with_a_mistake_is_refused(text: str, word: str) -> None:
    with pytest.raises(KeysRefused) as caught:
        parse(text)
    assert word in str(caught.value)
    assert "1234" not in str(caught.value)


def test_without_the_part_for_tokens_one_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(KeysRefused) as caught:
        TokenSigner(parse(address("root")), asked)
    assert pkcs11.INSTALL in str(caught.value)
    assert "archipel[pkcs11]" in caught.value.finding.params["detail"]

"""A bundle is taken apart without trusting a byte: what is wrong with it is found before one content is read."""

import json
from collections.abc import Callable
from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract import validate, wire
from archipel_contract.bundle import manifest as manifests
from archipel_contract.bundle import reading, tar
from archipel_contract.bundle.format import MANIFEST, SIGNATURE, BundleRefused, Install, Kind, Manifest
from archipel_contract.trust import minisign
from archipel_contract.trust.keys import SignatureInvalid
from tests.fakes.bundles import MAKER, FakeBundle, member

TWO = FakeBundle(files={"a.tar": (Kind.IMAGES, b"image a" * 200), "k3s": (Kind.K3S, b"program" * 90)})


def verify(body: bytes, signature: bytes) -> str:
    """Trust the maker."""
    try:
        minisign.verify(body, minisign.parsed(signature), MAKER.public.key)
    except (SignatureInvalid, minisign.SignatureMalformed) as error:
        raise BundleRefused("bundle-forged", str(error)) from error
    return "maker"


class Source:
    """A file in memory that remembers how much of it was read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.read = data, 0

    def part(self, offset: int, length: int) -> bytes:
        """That part."""
        self.read += length
        return self.data[offset : offset + length]

    def opened(self) -> reading.Opened:
        """Take it apart."""
        return reading.opened(self.part, len(self.data), verify)


def refusal(data: bytes) -> BundleRefused:
    """Why it is refused."""
    with pytest.raises(BundleRefused) as raised:
        Source(data).opened()
    return raised.value


def test_a_good_bundle_says_where_each_content_lies() -> None:
    source = Source(TWO.packed())
    opened = source.opened()
    assert (opened.manifest, opened.signer) == (TWO.manifest, "maker")
    for one in opened.manifest.files:
        span = opened.blobs[one.sha256]
        assert source.data[span.offset : span.offset + span.size] == TWO.files[one.name][1]


def test_contents_are_not_read_to_know_what_a_bundle_is() -> None:
    big = FakeBundle(files={"a.tar": (Kind.IMAGES, bytes(1 << 20))})
    source = Source(big.packed())
    source.opened()
    assert source.read < 20_000


def test_a_manifest_of_a_hundred_gigabytes_is_refused_from_its_header_alone() -> None:
    source = Source(member(MANIFEST, b"{}", size=100_000_000_000))
    with pytest.raises(BundleRefused, match="100000000000 bytes") as raised:
        source.opened()
    assert raised.value.code == "bundle-malformed"
    assert source.read == tar.BLOCK


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("nothing", lambda: b"", "bundle-truncated"),
        ("no archive", lambda: b"#!/bin/sh\n" * 200, "bundle-malformed"),
        ("no manifest", lambda: TWO.members()[2] + tar.END, "bundle-malformed"),
        (
            "no signature",
            lambda: b"".join([TWO.members()[0], *TWO.members()[2:]]) + tar.END,
            "bundle-unsigned",
        ),
        ("two manifests", lambda: TWO.with_member(TWO.members()[0]), "bundle-malformed"),
        ("a content twice", lambda: TWO.with_member(TWO.members()[2]), "bundle-malformed"),
        (
            "a content not listed",
            lambda: TWO.with_member(member(f"blobs/sha256/{'0' * 64}", b"x")),
            "bundle-malformed",
        ),
        ("a way out", lambda: TWO.with_member(member("../../etc/passwd", b"x")), "bundle-malformed"),
        (
            "a way out in the middle",
            lambda: TWO.with_member(member("blobs/sha256/../x", b"x")),
            "bundle-malformed",
        ),
        ("an absolute name", lambda: TWO.with_member(member("/etc/passwd", b"x")), "bundle-malformed"),
        ("a symbolic link", lambda: TWO.with_member(member("a", kind=b"2", link="/etc")), "bundle-malformed"),
        (
            "a hard link",
            lambda: TWO.with_member(member("a", kind=b"1", link="/etc/shadow")),
            "bundle-malformed",
        ),
        ("a device", lambda: TWO.with_member(member("a", kind=b"4")), "bundle-malformed"),
        ("a directory", lambda: TWO.with_member(member("blobs/", kind=b"5")), "bundle-malformed"),
        ("something after its end", lambda: TWO.packed() + b"hidden", "bundle-malformed"),
        ("too much after its end", lambda: TWO.packed() + bytes(1 << 20), "bundle-malformed"),
        ("a large signature", lambda: TWO.members()[0] + member(SIGNATURE, bytes(9000)), "bundle-malformed"),
    ],
)
def test_what_does_not_belong_into_a_bundle_is_refused(
    name: str, make: Callable[[], bytes], code: str
) -> None:
    assert refusal(make()).code == code


def test_zeros_that_fill_a_record_are_taken() -> None:
    assert Source(TWO.packed() + bytes(10240)).opened().manifest == TWO.manifest


def test_a_content_of_another_size_than_listed_is_refused_before_it_is_read() -> None:
    first, second, third, _ = TWO.members()
    digest = TWO.manifest.files[0].sha256
    short = member(f"blobs/sha256/{digest}", b"short")
    assert refusal(first + second + short + tar.END).code == "bundle-malformed"
    assert third != short


@pytest.mark.parametrize("part", range(1, 12))
def test_a_bundle_cut_short_anywhere_is_refused(part: int) -> None:
    whole = TWO.packed()
    assert refusal(whole[: len(whole) * part // 12]).code == "bundle-truncated"
    assert refusal(whole[:-1]).code == "bundle-truncated"


@hypothesis.given(place=st.integers(0, 4000), value=st.integers(0, 255))
def test_no_altered_byte_before_the_contents_changes_what_a_bundle_says(place: int, value: int) -> None:
    data = bytearray(TWO.packed())
    place = min(place, len(b"".join(TWO.members()[:2])) - 1)
    data[place] = value
    try:
        said = Source(bytes(data)).opened()
    except BundleRefused:
        return
    assert said.manifest == TWO.manifest


def test_fields_of_a_later_version_are_ignored() -> None:
    body = json.loads(TWO.body)
    body["colour"] = "blue"
    body["files"][0]["smell"] = ["rose"]
    assert manifests.read(json.dumps(body).encode()) == TWO.manifest


def test_a_kind_of_a_later_version_is_passed_over_with_a_remark() -> None:
    body = json.loads(TWO.body)
    body["files"][0]["kind"] = "hologram"
    read = manifests.read(json.dumps(body).encode())
    assert read.files[0].kind is Kind.UNKNOWN
    assert read.remarks() == ("a.tar is of a kind this version does not know; it is kept and not used",)
    assert TWO.manifest.remarks() == ()


def test_a_later_format_is_refused_with_the_way_out() -> None:
    with pytest.raises(BundleRefused, match="format 2") as raised:
        manifests.read(json.dumps({**json.loads(TWO.body), "format": 2}).encode())
    assert raised.value.code == "bundle-newer"


FILE = TWO.manifest.files[0]


@pytest.mark.parametrize(
    "broken",
    [
        {"files": ()},
        {"files": (FILE, FILE)},
        {"files": (replace(FILE, name="../k3s"),)},
        {"files": (replace(FILE, name="/k3s"),)},
        {"files": (replace(FILE, name=".hidden"),)},
        {"files": (replace(FILE, sha256="0" * 63),)},
        {"files": (replace(FILE, size=-1),)},
        {"files": (replace(FILE, size=1 << 40),)},
        {"files": (FILE, replace(FILE, name="other", size=FILE.size + 1))},
        {"files": tuple(replace(FILE, name=f"f{number}") for number in range(2001))},
        {"sequence": 0},
        {"format": 0},
        {"id": "../x"},
        {"architecture": ""},
    ],
)
def test_a_signed_manifest_that_contradicts_itself_is_refused(broken: dict[str, object]) -> None:
    made = replace(TWO.manifest, **broken)  # type: ignore[arg-type]  # each is a field of the manifest
    with pytest.raises(BundleRefused) as raised:
        manifests.read(wire.to_json(made))
    assert raised.value.code == "bundle-malformed"


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"format": "one"}', b"[" * 5000])
def test_a_signed_text_that_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(BundleRefused) as raised:
        manifests.read(text)
    assert raised.value.code == "bundle-malformed"


def test_the_border_reads_a_manifest_as_we_do() -> None:
    assert validate.from_json(Manifest, TWO.body) == manifests.read(TWO.body)


@pytest.mark.parametrize(
    "wrong",
    [{"sequence": "1"}, {"sequence": 1.5}, {"files": {}}, {"needs": []}, {"id": None}, {"provenance": 3}],
)
def test_what_the_border_refuses_we_refuse_too(wrong: dict[str, object]) -> None:
    body = json.dumps({**json.loads(TWO.body), **wrong}).encode()
    with pytest.raises(validate.InputInvalid):
        validate.from_json(Manifest, body)
    with pytest.raises(BundleRefused):
        manifests.read(body)


def test_the_id_follows_from_the_contents() -> None:
    assert TWO.manifest.id == TWO.but().manifest.id
    assert TWO.manifest.id != TWO.but(sequence=2).manifest.id
    assert TWO.manifest.files[0].install is Install.IMPORT

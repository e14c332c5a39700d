"""Headers: what we write every tar program reads, and what we do not take is refused by name."""

import io
import subprocess
import tarfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.bundle import tar
from tests.fakes.bundles import FakeBundle, member


def test_python_reads_what_we_pack() -> None:
    packed = FakeBundle().packed()
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
        names = archive.getnames()
        assert names[:2] == ["manifest.json", "manifest.json.minisig"]
        content = archive.extractfile(names[2])
        assert content is not None
        assert content.read() == b"image a"


@pytest.mark.real_process
def test_the_stock_tar_lists_what_we_pack_without_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(FakeBundle().packed())
    said = subprocess.run(["tar", "tf", "b"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    assert said.stdout.splitlines()[0] == "manifest.json"


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_a_plain_file_of_another_program_is_read(format: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=format) as archive:
        one = tarfile.TarInfo("manifest.json")
        one.size, one.mtime, one.uname = 4, 1_800_000_000, "somebody"
        archive.addfile(one, io.BytesIO(b"text"))
    assert tar.parsed(out.getvalue()[:512]) == tar.Header("manifest.json", 4)


@pytest.mark.parametrize("size", [0, 1, 511, 512, (8 << 30) - 1])
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    assert tar.parsed(tar.packed("a", size)) == tar.Header("a", size)
    assert (size + tar.padding(size)) % 512 == 0


def test_a_size_beyond_eight_gigabytes_is_read_in_order_to_be_refused_by_name() -> None:
    header = tar.parsed(member("a", size=100_000_000_000)[:512])
    assert header == tar.Header("a", 100_000_000_000)


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"x", b"g", b"L", b"S"])
def test_nothing_but_a_plain_file_is_taken(kind: bytes) -> None:
    with pytest.raises(tar.HeaderInvalid, match="not a plain file"):
        tar.parsed(member("a", kind=kind)[:512])


def test_a_plain_file_that_names_a_link_is_refused() -> None:
    with pytest.raises(tar.HeaderInvalid, match="names a link"):
        tar.parsed(member("a", link="/etc/shadow")[:512])


def test_a_header_whose_checksum_is_off_is_refused() -> None:
    block = bytearray(tar.packed("a", 3))
    block[0] ^= 1
    with pytest.raises(tar.HeaderInvalid, match="checksum"):
        tar.parsed(bytes(block))


def test_an_empty_block_is_the_end_and_half_a_block_is_not() -> None:
    assert tar.parsed(bytes(512)) is None
    with pytest.raises(tar.HeaderInvalid, match="middle of a header"):
        tar.parsed(bytes(100))


@hypothesis.given(place=st.integers(0, 511), value=st.integers(0, 255))
def test_a_header_with_any_byte_altered_is_refused_or_says_the_same(place: int, value: int) -> None:
    block = bytearray(tar.packed("manifest.json", 300))
    block[place] = value
    try:
        said = tar.parsed(bytes(block))
    except tar.HeaderInvalid:
        return
    assert said == tar.Header("manifest.json", 300)


@hypothesis.given(block=st.binary(min_size=512, max_size=512))
def test_any_block_is_read_or_refused_and_never_anything_else(block: bytes) -> None:
    try:
        tar.parsed(b"a" + bytes(256) + b"ustar\x0000" + block[265:])
        tar.parsed(block)
    except tar.HeaderInvalid:
        pass

"""The format: what was packed comes back the same, and nothing else is taken for a backup."""

import dataclasses
import io
import os
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.backup import packing, unpacking
from archipel_agent.backup.laying import Laying
from archipel_agent.backup.manifest import (
    FORMAT,
    MANIFEST,
    SITE,
    SUMS,
    BackupUnusable,
    Manifest,
    SiteRecord,
    name_of,
    read_name,
)
from archipel_agent.backup.packing import Piece, Written, of_bytes
from archipel_agent.host import tree
from archipel_agent.host.tree import Entries
from archipel_contract import wire
from archipel_contract.facts import ClockQuality
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, SiteDocument
from archipel_contract.trust import sealing

KEY = sealing.new_recovery_key()
DOCUMENT = SiteDocument(
    site_id="s-1",
    generation=0,
    origin=Origin.LOCAL,
    name="Halle 3",
    network=Network(node_ip="192.168.4.27", interface="eth0"),
    k3s=K3sBinary(path="/usr/bin/k3s", version="v1.36.3+k3s1", sha256="0"),
    nodes=(NodeSpec(node_id="n-1", node_name="press-7"),),
)
RECORD = of_bytes(SITE, wire.to_json(SiteRecord(document=DOCUMENT, token="t")))
PLAIN = Manifest(
    format=FORMAT,
    site_id="s-1",
    site_name="Halle 3",
    node_name="press-7",
    sequence=12,
    made_at="2026-11-22T07:00:00Z",
    clock=ClockQuality.SYNCHRONIZED,
    agent_version="0.2.0",
    k3s_version="v1.36.3+k3s1",
    architecture="x86_64",
    datastore="sqlite",
    members=(packing.member_of(RECORD),),
)
VOLUMES = "var/lib/rancher/k3s/storage"


def sealed(pieces: Iterable[Piece], manifest: Manifest = PLAIN, written: Written | None = None) -> bytes:
    out = io.BytesIO()
    stream = packing.stream(manifest, (RECORD, *pieces), written or Written())
    sealing.seal(stream, out, [KEY.recipient])
    return out.getvalue()


def pieces_of(root: Path) -> list[Piece]:
    """Every entry below `root` as a volume's."""
    return [
        Piece(
            entry=dataclasses.replace(one, relative=f"{VOLUMES}/{one.relative}" if one.relative else VOLUMES),
            path=root / one.relative,
        )
        for one in Entries(root)
    ]


def laid(data: bytes, target: Path) -> Laying:
    laying = Laying(target, lambda manifest: None, lambda size, manifest: None)
    try:
        unpacking.read(io.BytesIO(data), [KEY.secret], laying)
    finally:
        laying.close()
    return laying


def refused(data: bytes) -> str:
    with pytest.raises(BackupUnusable) as caught:
        unpacking.read(io.BytesIO(data), [KEY.secret], unpacking.Looker())
    return caught.value.code


def plant(root: Path) -> None:
    """A tree with everything a volume may hold."""
    (root / "deep/er").mkdir(parents=True)
    (root / "deep").chmod(0o2770)
    (root / "empty").mkdir()
    (root / "big").write_bytes(os.urandom(500_003))
    (root / ("long-" * 40)).write_text("a name beyond the old limit")
    (root / "deep/ü\nline\\back").write_text("a name with everything")
    (root / os.fsdecode(b"not-\xff-text")).write_text("a name that is no text")
    (root / "link").symlink_to("deep/er")
    (root / "dangling").symlink_to("/nowhere/at/all")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o750)
    os.utime(root / "run", (1_700_000_000, 1_700_000_000))


def picture(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in Entries(root):
        content = (root / one.relative).read_bytes() if one.kind == tree.FILE else one.target
        found[one.relative] = (one.kind, one.mode, one.uid, one.gid, content)
    return found


def test_a_tree_comes_back_with_modes_owners_links_and_strange_names(tmp_path: Path) -> None:
    plant(tmp_path / "from")
    if os.geteuid() == 0:
        os.chown(tmp_path / "from/run", 1000, 1001)
    laying = laid(sealed(pieces_of(tmp_path / "from")), tmp_path / "to")
    assert picture(tmp_path / "to" / VOLUMES) == picture(tmp_path / "from")
    assert (tmp_path / "to" / VOLUMES / "run").stat().st_mtime == 1_700_000_000
    assert laying.seen == PLAIN and laying.record is not None and laying.record.document == DOCUMENT


def test_sockets_and_pipes_are_left_out_and_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    entries = Entries(tmp_path)
    assert [one.relative for one in entries] == [""]
    assert entries.left_out == [str(tmp_path / "pipe")]


def test_a_file_that_shrinks_while_it_is_read_is_filled_up_and_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 1000)
    pieces = pieces_of(tmp_path)
    (tmp_path / "log").write_bytes(b"y" * 10)
    written = Written()
    laid(sealed(pieces, written=written), tmp_path / "to")
    assert written.changed == [f"{VOLUMES}/log"]
    assert (tmp_path / "to" / VOLUMES / "log").read_bytes() == b"y" * 10 + bytes(990)


def test_a_file_that_goes_while_it_is_read_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "gone").write_bytes(b"x")
    pieces = pieces_of(tmp_path)
    (tmp_path / "gone").unlink()
    written = Written()
    laid(sealed(pieces, written=written), tmp_path / "to")
    assert written.gone == [f"{VOLUMES}/gone"]


def test_packing_and_reading_keep_memory_flat(tmp_path: Path) -> None:
    import tracemalloc

    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(48 << 20)
    out = (tmp_path / "sealed").open("w+b")
    tracemalloc.start()
    try:
        with out:
            stream = packing.stream(PLAIN, (RECORD, *pieces_of(tmp_path)[1:2]), Written())
            sealing.seal(stream, out, [KEY.recipient])
            out.seek(0)
            unpacking.read(out, [KEY.secret], unpacking.Looker())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20, f"{peak >> 10} KB"


def raw(members: Iterable[tuple[tarfile.TarInfo, bytes]], tail: bytes = b"") -> bytes:
    """A sealed stream with just these members, as anybody with the public half could make one."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz", format=tarfile.PAX_FORMAT) as made:
        for info, data in members:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    out = io.BytesIO()
    sealing.seal([plain.getvalue() + tail], out, [KEY.recipient])
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, 0o644
    return made


FIRST = (info(MANIFEST), wire.to_json(dataclasses.replace(PLAIN, members=())))


def test_what_does_not_begin_with_a_manifest_is_none() -> None:
    assert refused(raw([(info("etc/passwd"), b"x")])) == "backup-format"


def test_a_manifest_of_a_hundred_gigabytes_is_not_read() -> None:
    huge = info(MANIFEST)
    huge.size = 100 << 30
    out = io.BytesIO()
    sealing.seal([zlib.compress(huge.tobuf(), wbits=31)], out, [KEY.recipient])
    assert refused(out.getvalue()) == "backup-format"


def test_a_newer_format_is_refused_in_words() -> None:
    manifest = dataclasses.replace(PLAIN, format=FORMAT + 1)
    assert refused(sealed([], manifest)) == "backup-format"


def test_half_a_backup_is_none_even_where_it_was_sealed_whole() -> None:
    assert refused(raw([FIRST])) == "backup-damaged"
    assert refused(raw([FIRST, (info(SUMS), b"")])) == "backup-damaged"


def test_something_behind_the_end_is_refused() -> None:
    assert refused(raw([FIRST], tail=b"more")) == "backup-damaged"


def test_a_member_that_is_not_as_the_manifest_says_is_found() -> None:
    wrong = dataclasses.replace(PLAIN, members=(dataclasses.replace(PLAIN.members[0], sha256="0" * 64),))
    assert refused(sealed([], wrong)) == "backup-damaged"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("etc/passwd", tarfile.REGTYPE),
        ("../etc/shadow", tarfile.REGTYPE),
        ("/etc/shadow", tarfile.REGTYPE),
        ("var/lib/rancher/k3s/../../../../etc/shadow", tarfile.REGTYPE),
        ("var/lib/rancher/k3s/storage/disk", tarfile.BLKTYPE),
        ("var/lib/rancher/k3s/storage/hard", tarfile.LNKTYPE),
    ],
)
def test_nothing_is_laid_outside_a_sites_own_places(tmp_path: Path, name: str, kind: bytes) -> None:
    data = raw([FIRST, (info(name, kind, "etc/shadow"), b"")])
    with pytest.raises(BackupUnusable):
        laid(data, tmp_path / "to")
    assert [one for one in (tmp_path).rglob("*") if one.name in ("passwd", "shadow", "disk", "hard")] == []


def test_nothing_is_laid_behind_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = info(f"{VOLUMES}/v", tarfile.SYMTYPE, str(outside))
    with pytest.raises(BackupUnusable):
        laid(raw([FIRST, (link, b""), (info(f"{VOLUMES}/v/evil"), b"x")]), tmp_path / "to")
    assert list(outside.iterdir()) == []


def test_a_wrong_key_is_told_apart_from_damage() -> None:
    other = sealing.new_recovery_key()
    with pytest.raises(BackupUnusable) as caught:
        unpacking.read(io.BytesIO(sealed([])), [other.secret], unpacking.Looker())
    assert caught.value.code == "backup-wrong-key"


SMALL = sealed([of_bytes("etc/rancher/node/password", b"secret")])


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_damage(place: int, change: int) -> None:
    broken = bytearray(SMALL)
    broken[place] ^= change
    assert refused(bytes(broken)) in ("backup-damaged", "backup-wrong-key")


@pytest.mark.prove
@hypothesis.settings(max_examples=3000, deadline=None)
@hypothesis.given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_damage_thousands_of_times(place: int, change: int) -> None:
    broken = bytearray(SMALL)
    broken[place] ^= change
    assert refused(bytes(broken)) in ("backup-damaged", "backup-wrong-key")


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(st.integers(0, len(SMALL) - 1))
def test_a_truncated_backup_is_damage(length: int) -> None:
    assert refused(SMALL[:length]) == "backup-damaged"


def test_names_say_site_and_sequence_and_nothing_else() -> None:
    name = name_of("s-4q7f", 12)
    assert read_name(name) == ("s-4q7f", 12)
    assert [read_name(one) for one in ("x", name + ".part", "archipel-s.tar.gz.age")] == [None] * 3

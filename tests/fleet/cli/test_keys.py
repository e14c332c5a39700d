"""`archipel fleet keys`: founding a fleet, moving its root away, and changing who may do what, signed by the roots."""

import io
import json
import secrets
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.sealing import recipient_of, secrets_in
from archipel_fleet.cli import complete
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import keyfile
from archipel_fleet.trust.keyring import FleetKeys
from tests.fleet.cli.conftest import Run, Said

PASSPHRASE = "correct horse battery"


class Terminal(io.StringIO):
    """Somebody who types lines."""

    def isatty(self) -> bool:
        """See io.IOBase."""
        return True


@pytest.fixture
def passphrase(home: Path) -> str:
    """A file with a passphrase."""
    path = home / "passphrase"
    path.write_text(f"{PASSPHRASE}\n")
    return str(path)


@pytest.fixture
def keys(home: Path) -> FleetKeys:
    """Keys as `serve` makes them at its first start; also what a running controller has in hand."""
    return FleetKeys.first(home / "data/keys", "plant", SystemClock(), secrets.token_bytes)


def public(run: Run, path: Path) -> str:
    """Make a key of one's own; return its public half."""
    said = run("keys", "new", "--out", str(path), "--no-passphrase")
    assert said.code == Exit.OK
    return said.out.strip()


def good(said: Said) -> Said:
    """What was said, if it was good."""
    assert said.code == Exit.OK, said.err
    return said


# --- the beginning ---------------------------------------------------------------------------------------------------


def test_before_there_are_keys_one_is_told_how_to_make_them(run: Run) -> None:
    said = run("keys", "show")
    assert said.code == Exit.REFUSED
    assert "archipel fleet keys init" in said.err
    assert "keine Schlüssel" in run("keys", "show", "--lang", "de").err


def test_a_fleet_is_founded_with_roots_that_never_lie_on_this_machine(
    run: Run, home: Path, passphrase: str
) -> None:
    words = ("--name", "plant", "--roots", "3", "--threshold", "2", "--out", str(home / "stick"))
    (home / "stick").mkdir()
    said = good(run("keys", "init", *words, "--passphrase-file", passphrase, "--yes", "--json"))
    shown = json.loads(said.out)
    assert (shown["name"], shown["threshold"], len(shown["roots"])) == ("plant", 2, 3)
    assert not any(root["online"] for root in shown["roots"])
    for number, root in enumerate(shown["roots"], 1):
        path = home / f"stick/root{number}.pem"
        assert path.stat().st_mode & 0o077 == 0
        assert b"ENCRYPTED" in path.read_bytes()
        assert SoftwareSigner(keyfile.read(path, lambda _: PASSPHRASE)).key_id == root["id"]


def test_a_fleet_is_founded_once(run: Run, keys: FleetKeys) -> None:
    said = run("keys", "init", "--yes")
    assert said.code == Exit.REFUSED
    assert "has keys already" in said.err


@pytest.mark.parametrize(
    ("words", "word"),
    [(("--roots", "3"), "--out"), (("--threshold", "2"), "never"), (("--name", "x"), "--yes")],
)
def test_founding_needs_a_place_for_roots_a_threshold_that_can_be_met_and_a_yes(
    run: Run, home: Path, words: tuple[str, ...], word: str
) -> None:
    said = run("keys", "init", *words)
    assert said.code in (Exit.USAGE, Exit.REFUSED)
    assert word in said.err
    assert not (home / "data/keys").exists()


def test_show_says_who_may_what_and_that_the_root_should_go(run: Run, keys: FleetKeys) -> None:
    said = good(run("keys", "show"))
    for word in (
        keys.trust.document.fleet_id,
        "LIES ON THIS MACHINE",
        keys.signer.key_id,
        "command:*",
        "no end",
    ):
        assert word in said.out
    assert "export-root" in said.err
    assert json.loads(run("keys", "show", "--json").out)["roots"][0]["online"] is True


# --- the root goes and comes back ------------------------------------------------------------------------------------


def test_a_root_is_moved_to_a_file_and_signs_from_there(
    run: Run, home: Path, keys: FleetKeys, passphrase: str
) -> None:
    (root,) = keys.roots
    file = str(home / "root.pem")
    said = good(run("keys", "export-root", "--out", file, "--passphrase-file", passphrase, "--yes"))
    assert root.key_id in said.out
    assert not (keys.directory / f"{root.key_id}.key").exists()
    refused = run("keys", "rotate", "controller", "--yes")
    assert refused.code == Exit.REFUSED
    assert root.key_id in refused.err
    good(run("keys", "rotate", "controller", "--key", file, "--passphrase-file", passphrase, "--yes"))
    assert keys.reload() is True
    assert keys.trust.document.version == 2


def test_a_root_is_not_removed_where_its_file_could_not_be_written(
    run: Run, home: Path, keys: FleetKeys
) -> None:
    (home / "root.pem").write_text("another key")
    for out in (home / "root.pem", home / "no/such/place.pem"):
        said = run("keys", "export-root", "--out", str(out), "--no-passphrase", "--yes")
        assert said.code == Exit.REFUSED
    assert (home / "root.pem").read_text() == "another key"
    assert (keys.directory / f"{keys.roots[0].key_id}.key").exists()


def test_a_root_on_paper_becomes_a_file_again(
    run: Run, home: Path, keys: FleetKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root,) = keys.roots
    words = ("--out", str(home / "root.pem"), "--no-passphrase", "--yes", "--recovery")
    paper = good(run("keys", "export-root", *words)).out.partition("Archipel root key")[2]
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(paper.splitlines()[2:]) + "\n\n"))
    good(run("keys", "recover", "--out", str(home / "again.pem"), "--no-passphrase"))
    good(run("keys", "rotate", "ca", "--key", str(home / "again.pem"), "--yes"))
    assert SoftwareSigner(keyfile.read(home / "again.pem", str)).key_id == root.key_id


def test_a_typing_error_on_the_way_from_paper_is_named_and_nothing_is_written(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("00001 00003 00003"))
    said = run("keys", "recover", "--out", str(home / "root.pem"), "--no-passphrase")
    assert said.code == Exit.REFUSED
    assert "group 2 of 14" in said.err
    assert not (home / "root.pem").exists()


# --- changes ---------------------------------------------------------------------------------------------------------


def test_a_person_gets_rights_and_loses_them(run: Run, home: Path, keys: FleetKeys) -> None:
    nora = public(run, home / "nora.pem")
    words = ("--name", "nora", "--may", "command:logs", "--site", "s-1", "--days", "30", "--yes")
    said = good(run("keys", "delegate", nora, *words))
    assert "nora" in said.err and "command:logs" in said.err and "s-1" in said.err
    (key_id,) = [
        one["id"] for one in json.loads(run("keys", "show", "--json").out)["keys"] if one["name"] == "nora"
    ]
    assert complete.keys("k-") == [keys.signer.key_id, key_id]
    good(run("keys", "revoke", key_id, "--yes"))
    shown = json.loads(run("keys", "show", "--json").out)
    assert shown["revoked"] == [key_id]
    assert run("keys", "delegate", nora, *words).code == Exit.REFUSED


def test_the_controller_s_own_key_is_exchanged_and_not_just_revoked(run: Run, keys: FleetKeys) -> None:
    old = keys.signer.key_id
    said = run("keys", "revoke", old, "--yes")
    assert said.code == Exit.REFUSED
    assert "rotate controller --compromised" in said.err
    good(run("keys", "rotate", "controller", "--compromised", "--days", "365", "--yes"))
    keys.reload()
    assert keys.signer.key_id != old
    assert keys.trust.document.revoked == (old,)


def test_a_ca_is_added_and_the_old_one_taken_out_later(run: Run, keys: FleetKeys) -> None:
    old = keys.authority.pem
    good(run("keys", "rotate", "ca", "--yes"))
    pins = [one["pin"] for one in json.loads(run("keys", "show", "--json").out)["authorities"]]
    assert len(pins) == 2
    said = good(run("keys", "rotate", "ca", "--remove", pins[1], "--yes"))
    assert "enrol anew" in said.err
    keys.reload()
    assert keys.authority.pem != old
    assert len(keys.trust.document.authorities) == 1


def test_two_of_three_roots_on_three_machines_sign_one_after_the_other(
    run: Run, home: Path, keys: FleetKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (public(run, home / f"root{number}.pem") for number in (2, 3))
    file = str(home / "next.trust")
    words = ("--add", one, "--add", two, "--threshold", "2", "--out", file, "--yes")
    assert "has to sign" in good(run("keys", "rotate", "roots", *words)).err
    assert keys.reload() is False
    early = run("keys", "accept", file, "--yes")
    assert early.code == Exit.REFUSED
    assert "signatures are missing" in early.err
    with monkeypatch.context() as elsewhere:  # the second root's machine has no keys of a controller
        elsewhere.setenv("ARCHIPEL_FLEET_DATA", str(home / "nothing"))
        said = good(run("keys", "sign", file, "--key", str(home / "root2.pem"), "--yes"))
        assert "2 of 3 must sign" in said.out
    good(run("keys", "accept", file, "--yes"))
    keys.reload()
    assert (keys.trust.document.threshold, len(keys.trust.document.roots)) == (2, 3)
    assert run("keys", "rotate", "ca", "--yes").code == Exit.REFUSED
    good(run("keys", "rotate", "ca", "--key", str(home / "root3.pem"), "--yes"))


def test_several_changes_make_one_proposal(run: Run, home: Path, keys: FleetKeys) -> None:
    nora = public(run, home / "nora.pem")
    good(run("keys", "delegate", nora, "--name", "nora", "--may", "command:logs", "--yes"))
    root = public(run, home / "root2.pem")
    keys.reload()
    key_id = SoftwareSigner(keyfile.read(home / "nora.pem", str)).key_id
    file = str(home / "next.trust")
    words = ("--revoke", key_id, "--add-root", root, "--name", "works", "--out", file)
    said = json.loads(good(run("keys", "propose", *words, "--yes", "--json")).out)
    assert said["enough"] is True
    good(run("keys", "accept", file, "--yes"))
    keys.reload()
    document = keys.trust.document
    assert (document.version, document.name, len(document.roots), document.revoked) == (
        3,
        "works",
        2,
        (key_id,),
    )


def test_a_stranger_s_key_signs_nothing(run: Run, home: Path, keys: FleetKeys) -> None:
    public(run, home / "stranger.pem")
    file = home / "next.trust"
    good(run("keys", "propose", "--name", "works", "--out", str(file), "--yes"))
    before = file.read_bytes()
    said = run("keys", "sign", str(file), "--key", str(home / "stranger.pem"), "--yes")
    assert said.code == Exit.REFUSED
    assert "neither before nor after" in said.err
    assert file.read_bytes() == before


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_changes(
    run: Run, keys: FleetKeys, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    said = run("keys", "rotate", "ca")
    assert said.code == Exit.REFUSED
    assert "A CA is added" in said.err
    assert keys.reload() is False


def test_a_yes_on_the_terminal_is_enough(run: Run, keys: FleetKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    good(run("keys", "rotate", "ca"))
    assert keys.reload() is True


# --- passphrases -----------------------------------------------------------------------------------------------------


def test_a_new_key_gets_a_passphrase_typed_twice(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = [PASSPHRASE, "something else"]
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda question, stream: typed.pop(0))
    said = run("keys", "new", "--out", str(home / "a.pem"))
    assert said.code == Exit.USAGE
    assert not (home / "a.pem").exists()
    typed[:] = [PASSPHRASE, PASSPHRASE]
    good(run("keys", "new", "--out", str(home / "a.pem")))
    assert keyfile.read(home / "a.pem", lambda _: PASSPHRASE)


def test_a_short_passphrase_and_nobody_to_ask_are_refused(run: Run, home: Path) -> None:
    (home / "short").write_text("1234\n")
    said = run("keys", "new", "--out", str(home / "a.pem"), "--passphrase-file", str(home / "short"))
    assert (said.code, "1234" in said.err) == (Exit.USAGE, False)
    assert run("keys", "new", "--out", str(home / "a.pem")).code == Exit.USAGE
    assert (
        run("keys", "new", "--out", str(home / "a.pem"), "--passphrase-file", "/nowhere").code == Exit.USAGE
    )
    assert not (home / "a.pem").exists()


def test_a_wrong_passphrase_is_said_in_words(run: Run, home: Path, keys: FleetKeys, passphrase: str) -> None:
    file = str(home / "root.pem")
    good(run("keys", "export-root", "--out", file, "--passphrase-file", passphrase, "--yes"))
    (home / "wrong").write_text("wrong passphrase\n")
    said = run("keys", "rotate", "ca", "--key", file, "--passphrase-file", str(home / "wrong"), "--yes")
    assert said.code == Exit.REFUSED
    assert "password is wrong" in said.err
    assert PASSPHRASE not in said.err


def test_no_secret_is_said_where_none_was_asked_for(run: Run, home: Path, keys: FleetKeys) -> None:
    root = keys.roots[0].key_id
    secret = keyfile.recoverable(keys.root_key(root)).private_bytes_raw()  # type: ignore[arg-type]  # it lies there
    shown = run("keys", "show").out + run("keys", "show", "--json").out
    shown += run(
        "keys", "export-root", "--out", str(home / "r.pem"), "--no-passphrase", "--yes", "--json"
    ).out
    assert "PRIVATE" not in shown
    assert secret.hex() not in shown


# --- the fleet's key to backups --------------------------------------------------------------------------------------


def recovery(keys: FleetKeys) -> tuple[str, ...]:
    """The recovery recipients that are in force."""
    keys.reload()
    return keys.trust.document.recovery


def test_the_fleets_recovery_key_is_printed_once_and_its_public_half_is_signed_into_the_trust_document(
    run: Run, home: Path, keys: FleetKeys
) -> None:
    assert run("keys", "recovery-recipient", "show").code == Exit.NOT_OK
    said = good(run("keys", "recovery-recipient", "new", "--yes"))
    (recipient,) = recovery(keys)
    (secret,) = secrets_in(said.out[said.out.index("#") :])
    assert recipient_of(secret) == recipient
    assert recipient in said.err  # whoever agrees is told what it opens
    assert good(run("keys", "recovery-recipient", "show")).out.split() == [recipient]
    assert json.loads(run("keys", "show", "--json").out)["recovery"] == [recipient]
    kept = b"".join(path.read_bytes() for path in (home / "data").rglob("*") if path.is_file())
    assert secret[20:].encode() not in kept


@pytest.mark.parametrize("out", ["", "next.trust"])
def test_as_json_the_answer_is_one_document_with_the_secret_in_it_and_a_warning_beside_it(
    run: Run, home: Path, keys: FleetKeys, out: str
) -> None:
    said = good(
        run(
            "keys",
            "recovery-recipient",
            "new",
            "--yes",
            "--json",
            *(("--out", str(home / out)) if out else ()),
        )
    )
    answer = json.loads(said.out)
    made = answer["recovery_key"]
    assert recipient_of(made["secret"]) == made["recipient"]
    assert made["secret"] not in said.err and "let no log keep it" in said.err
    if out:
        assert (answer["file"], answer["enough"], recovery(keys)) == (str(home / out), True, ())
        good(run("keys", "accept", str(home / out), "--yes", "--json"))
    assert recovery(keys) == (made["recipient"],)
    assert "AGE-SECRET" not in run("keys", "show", "--json").out


def test_as_json_a_change_that_was_refused_has_no_answer_and_its_own_exit_code(
    run: Run, keys: FleetKeys
) -> None:
    said = run("keys", "recovery-recipient", "new", "--json")
    assert (said.code, "AGE-SECRET" in said.out + said.err) == (Exit.REFUSED, False)


def test_it_waits_for_a_root_that_lies_elsewhere_and_another_takes_its_place(
    run: Run, home: Path, keys: FleetKeys
) -> None:
    file = home / "next.trust"
    good(run("keys", "recovery-recipient", "new", "--yes", "--out", str(file)))
    assert recovery(keys) == ()
    good(run("keys", "accept", str(file), "--yes"))
    first = recovery(keys)
    said = good(run("keys", "recovery-recipient", "new", "--yes"))
    assert len(first) == len(recovery(keys)) == 1 and first != recovery(keys)
    assert f"not sealed for {first[0]}" in said.err


def test_no_recovery_key_is_shown_where_nobody_agreed(run: Run, keys: FleetKeys) -> None:
    said = run("keys", "recovery-recipient", "new")
    assert said.code == Exit.REFUSED
    assert "AGE-SECRET" not in said.out + said.err

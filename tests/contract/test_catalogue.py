"""The catalogue of findings: complete in both languages, in step with the code, and readable."""

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.checks.fixes import FIXES
from archipel_agent.steps.fix import NO_REPAIR, NO_UNDO
from archipel_agent.steps.options import Options
from archipel_agent.steps.story import story
from archipel_contract import catalogue
from archipel_contract.catalogue import LANGUAGES, CodeUnknown, Entry, Text
from archipel_contract.findings import Finding, Severity
from archipel_contract.jobs import Verb
from archipel_contract.launcher import COMMANDS

AGENT = Path(__file__).resolve().parents[2] / "agent/archipel_agent"
ENTRIES = sorted(catalogue.entries().values(), key=lambda entry: entry.code)
# Raised outside the checks: by steps, jobs, the state and the command line.
RAISED_ELSEWHERE = {
    "address-before-absent",
    "hardening-strict",
    "adopt-refused",
    "adopted-by-hand",
    "adopted-not-ours",
    "leave-own-site",
    "address-inside-site",
    "datastore-gone",
    "datastore-is-etcd",
    "datastore-lost",
    "disk-still-full",
    "etcd-has-members",
    "etcd-no-snapshot",
    "etcd-not-used",
    "etcd-reset-refused",
    "node-name-shared",
    "nothing-to-take-back",
    "backup-damaged",
    "backup-datastore",
    "backup-file-too-large",
    "backup-adopted-refused",
    "backup-foreign",
    "backup-format",
    "backup-no-recipients",
    "backup-no-room",
    "backup-no-target",
    "backup-not-found",
    "backup-nothing",
    "backup-older-k3s",
    "backup-settings-lost",
    "backup-site-lives",
    "support-place-missing",
    "backup-target-away",
    "backup-target-full",
    "backup-target-refused",
    "backup-wrong-key",
    "answers-not-text",
    "answers-too-large",
    "answers-empty",
    "answers-syntax",
    "answers-key-unknown",
    "answers-value-wrong",
    "answers-key-missing",
    "answers-format-newer",
    "answers-encoding",
    "answers-differ",
    "answers-boot-missing",
    "answers-read-only",
    "answers-place-full",
    "answers-not-written",
    "answers-unreadable",
    "answers-site-settled",
    "answers-by-hand",
    "answers-setting-kept",
    "answers-settings-unusable",
    "answers-other-fleet",
    "answers-up-failed",
    "answers-up-refused",
    "answers-stopped",
    "answers-clock-not-set",
    "firewall-declaration-invalid",
    "firewall-refused",
    "firewall-tool-missing",
    "order-result-damaged",
    "order-result-too-large",
    "fleet-older-than-device",
    "audit-chain-broken",
    "fleet-sender-unproven",
    "api-timeout",
    "boot-line-changed",
    "boot-line-missing",
    "boot-line-several",
    "boot-line-untouched",
    "boot-partition-read-only",
    "bundle-file-too-large",
    "bundle-place-full",
    "bundle-damaged",
    "bundle-foreign",
    "bundle-forged",
    "bundle-incomplete",
    "bundle-malformed",
    "bundle-newer",
    "bundle-no-room",
    "bundle-not-found",
    "bundle-older",
    "bundle-truncated",
    "bundle-unreadable",
    "bundle-unsigned",
    "bundle-untrusted",
    "busy",
    "cancelled-by-user",
    "enrol-node-known",
    "enrol-refused",
    "enrol-request-invalid",
    "enrol-revoked",
    "enrol-token-elsewhere",
    "enrol-token-expired",
    "enrol-token-used",
    "enrol-token-wrong",
    "enrol-too-many",
    "enrol-voucher-invalid",
    "fleet-already-running",
    "fleet-authority-unfit",
    "fleet-backup-unusable",
    "fleet-broker-away",
    "fleet-broker-failed",
    "fleet-broker-missing",
    "fleet-clock-off",
    "fleet-data-unusable",
    "fleet-database-away",
    "fleet-database-damaged",
    "fleet-database-locked",
    "fleet-database-newer",
    "fleet-disk-full",
    "fleet-keys-damaged",
    "fleet-keys-ending",
    "fleet-keys-exposed",
    "fleet-keys-missing",
    "fleet-messages-refused",
    "fleet-node-id-twice",
    "fleet-node-overdue",
    "fleet-not-loopback",
    "fleet-passphrase-refused",
    "fleet-address-unusable",
    "fleet-port-taken",
    "fleet-root-online",
    "fleet-sequence-missing",
    "fleet-site-never",
    "fleet-site-overdue",
    "fleet-site-unheard",
    "fleet-token-unusable",
    "fleet-trust-refused",
    "images-not-found",
    "interrupted",
    "job-failed",
    "k3s-checksum",
    "k3s-download",
    "kernel-setting-refused",
    "message-foreign",
    "message-malformed",
    "message-newer",
    "message-oversized",
    "no-fix",
    "no-undo",
    "node-timeout",
    "not-set-up",
    "option-invalid",
    "order-failed",
    "order-interrupted",
    "order-no-room",
    "order-not-for-us",
    "order-unfit",
    "order-unknown",
    "order-vetoed",
    "pods-timeout",
    "renew-early",
    "renew-no-certificate",
    "renew-other-key",
    "renew-revoked",
    "renew-too-late",
    "renew-unknown",
    "second-agent",
    "site-settled",
}
WIDTHS = {"title": 78, "cause": 240, "remedy": 260, "runbook": 240, "plan": 240, "undo": 200}
# Programs a person is told to run; a sentence may end with such a command instead of a full stop.
PROGRAMS = (
    "archipel",
    "cat",
    "df",
    "docker",
    "dpkg",
    "echo",
    "findmnt",
    "free",
    "getenforce",
    "grep",
    "last",
    "pkcs11-tool",
    "pip",
    "getent",
    "ip",
    "k3s",
    "ls",
    "nproc",
    "ps",
    "sha256sum",
    "sudo",
    "systemctl",
    "timedatectl",
    "top",
    "uname",
    "{command}",
    "{path}",
)
# What a sentence may begin with although it is written small.
NAMES = ("{", "/", "k3s", "etcd", "aarch64", "containerd", "flannel", "cgroup_", "systemd.")
COMMAND_AT_END = re.compile(rf": (?:{'|'.join(map(re.escape, PROGRAMS))})(?: .*)?$")
OUR_COMMAND = re.compile(r"(?:: |&& )(?:sudo )?archipel (?P<word>[\w-]+|--\w+)")


def sentences(text: Text) -> Iterator[tuple[str, str]]:
    yield "title", text.title
    yield "cause", text.cause
    yield "remedy", text.remedy
    for step in text.runbook:
        yield "runbook", step
    for step in text.plan:
        yield "plan", step
    if text.undo:
        yield "undo", text.undo


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def codes_in(path: Path) -> set[str]:
    """Every string constant of a module that is a code of the catalogue."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return constants & set(catalogue.entries())


def codes_asked_for(path: Path) -> set[str]:
    """Every code a module names where only a code can stand: in finding("..."), Sign(code="...")."""
    asked = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [node.args[0]] if name == "finding" and node.args else []
        given += [word.value for word in node.keywords if name == "Sign" and word.arg == "code"]
        asked |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return asked


def each(entry: Entry) -> str:
    return entry.code


@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_a_code_is_kebab_case_and_its_severity_is_one_a_person_can_act_on(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.code)
    assert entry.severity is not Severity.UNKNOWN


@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_both_languages_say_everything_with_the_same_parameters(entry: Entry) -> None:
    english, german = (entry.texts[language] for language in LANGUAGES)
    for part in ("title", "cause", "remedy"):
        assert getattr(english, part), part
        assert getattr(german, part), part
        assert parameters(getattr(english, part)) == parameters(getattr(german, part)), part
    assert len(english.runbook) == len(german.runbook)
    assert [parameters(step) for step in english.runbook] == [parameters(step) for step in german.runbook]
    assert [parameters(step) for step in english.plan] == [parameters(step) for step in german.plan]
    assert parameters(english.undo) == parameters(german.undo)


@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_a_runbook_has_two_to_five_steps(entry: Entry) -> None:
    assert 2 <= len(entry.texts["en"].runbook) <= 5


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_sentences_end_as_sentences_and_titles_do_not(entry: Entry, language: str) -> None:
    for part, text in sentences(entry.texts[language]):
        assert text == text.strip()
        assert "  " not in text
        assert text[0].isupper() or text.startswith(NAMES), text
        if part == "title":
            assert text[-1] not in ".:;,", text
        elif part == "cause":
            assert text.endswith((".", "?", "!", "{problem}", "{files}")), text
        else:
            assert text.endswith((".", ")", "!")) or COMMAND_AT_END.search(text) or ": " in text, text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_texts_are_short_and_can_be_shown_on_any_terminal(entry: Entry, language: str) -> None:
    for part, text in sentences(entry.texts[language]):
        assert len(text) <= WIDTHS[part], (part, len(text))
        text.encode("latin-1")
        assert not re.search("[“”„‘’«»…–—]", text)


@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_german_is_not_much_longer_than_english(entry: Entry) -> None:
    english, german = (entry.texts[language] for language in LANGUAGES)
    for part in ("title", "cause", "remedy"):
        assert len(getattr(german, part)) <= 1.5 * len(getattr(english, part)) + 25, part


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_a_remedy_names_only_commands_that_exist(entry: Entry, language: str) -> None:
    for _, text in sentences(entry.texts[language]):
        for match in OUR_COMMAND.finditer(text):
            assert match["word"] in {*COMMANDS, "--version", "--help"}, text


@pytest.mark.parametrize("entry", ENTRIES, ids=each)
def test_the_command_to_run_is_the_same_in_both_languages(entry: Entry) -> None:
    english, german = (entry.texts[language].remedy for language in LANGUAGES)
    words = {"FILE": "DATEI", "PATH": "PFAD", "IMAGES.": "ABBILDER."}
    command = COMMAND_AT_END.search(english)
    if command:
        wanted = command[0]
        for word, there in words.items():
            wanted = wanted.replace(word, there)
        assert german.endswith((command[0], wanted))


def test_reading_one_table_after_the_other_is_the_same_as_reading_the_file() -> None:
    text = resources.files(catalogue).joinpath("findings.toml").read_text(encoding="utf-8")
    whole = tomllib.loads(text)
    assert list(whole) == list(catalogue.entries())
    assert all(body["en"]["title"] == catalogue.entry(code).texts["en"].title for code, body in whole.items())


def test_every_code_a_program_names_is_in_the_catalogue() -> None:
    for path in sorted(AGENT.rglob("*.py")):
        assert codes_asked_for(path) <= set(catalogue.entries()), path


def test_every_code_of_the_catalogue_is_raised_by_a_check_or_declared_as_raised_elsewhere() -> None:
    by_checks = set().union(*(codes_in(path) for path in (AGENT / "checks").glob("*.py")))
    built = {f"{code}-silent" for code in ("k3s-crash-loop", "k3s-stopped")}
    everything = set(catalogue.entries())
    assert everything - by_checks - built == RAISED_ELSEWHERE


def test_a_finding_carries_its_english_sentences() -> None:
    one = catalogue.finding("port-taken", ("seen",), None, ports="6443/tcp", owner="nginx", pid="7")
    assert one.summary == "nginx uses ports that Kubernetes needs"
    assert one.severity is Severity.PROBLEM
    assert catalogue.words(one, "de").title == "nginx belegt Ports, die Kubernetes braucht"


def test_a_parameter_that_is_missing_stays_visible() -> None:
    assert "?owner" in catalogue.finding("port-taken").summary


def test_a_code_from_a_newer_version_shows_the_sentences_it_carries() -> None:
    text = catalogue.words(
        Finding(code="of-tomorrow", severity=Severity.HINT, summary="Hello", next_step="Go.")
    )
    assert (text.title, text.remedy) == ("Hello", "Go.")


def test_an_unknown_code_cannot_be_made_into_a_finding() -> None:
    with pytest.raises(CodeUnknown):
        catalogue.finding("of-tomorrow")


@hypothesis.given(
    value=st.text(max_size=60), entry=st.sampled_from(ENTRIES), language=st.sampled_from(LANGUAGES)
)
def test_any_value_can_be_shown_in_any_sentence(value: str, entry: Entry, language: str) -> None:
    names = {name for text in entry.texts.values() for _, one in sentences(text) for name in parameters(one)}
    shown = catalogue.words(
        Finding(code=entry.code, severity=entry.severity, params=dict.fromkeys(names, value)), language
    )
    for (_, template), (_, one) in zip(sentences(entry.texts[language]), sentences(shown), strict=True):
        assert value in one or not parameters(template)


REPAIRED = sorted(FIXES)


@pytest.mark.parametrize("code", REPAIRED)
def test_every_repair_says_what_it_will_do_and_how_that_is_taken_back(code: str) -> None:
    for language in LANGUAGES:
        text = catalogue.entry(code).texts[language]
        assert 1 <= len(text.plan) <= 5
        assert text.undo


def test_only_repairs_say_so() -> None:
    assert [entry.code for entry in ENTRIES if entry.texts["en"].plan and entry.code not in FIXES] == []


@pytest.mark.parametrize("code", REPAIRED)
def test_a_repair_that_says_it_can_be_taken_back_has_the_steps_for_it_and_the_others_refuse(
    code: str,
) -> None:
    assert story(Verb.FIX, Options(code=code)) != (NO_REPAIR,)
    assert FIXES[code].undo == (story(Verb.FIX, Options(code=code, undo=True)) != (NO_UNDO,))

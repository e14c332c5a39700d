"""The pages say what is so: every command can be typed, every table agrees with the code it describes."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from archipel_agent.k3s.config import KERNEL_SETTINGS, OF_THE_SITE, config_values, hardened, k3s_files
from archipel_agent.paths import Paths
from archipel_agent.steps.leaving import doomed
from archipel_agent.steps.removing import K3S_PLACES
from archipel_contract.exits import Exit
from archipel_contract.launcher import COMMANDS
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, SiteDocument
from archipel_contract.status import Health
from archipel_fleet.cli.main import application
from archipel_fleet.cli.screen import MARK_OF_CONTACT
from archipel_fleet.records import AccountRole, ContactState
from tests.docs import pages
from tests.hosts import shell

REPOSITORY = pages.DOCS.parent
INSTALLER = REPOSITORY / "images/install.sh"
# Commands of the system that a page may name, with the words that must follow.
OF_THE_SYSTEM = {
    "usermod": {"-aG", "archipel", "archipel,archipel-technician", "alice", "bob"},
    "systemctl": {
        "restart",
        "archipel-agent",
        "edit",
        "k3s",
        "enable",
        "--now",
        "archipel-broker-list.timer",
        "mask",  # tests/systemd/test_sticks.py
        "archipel-stick@.service",
    },
    "install": {"-m", "644", "broker/archipel-broker-list.*", "/etc/systemd/system/"},
    "python3": {"-m", "pip", "download", "--dest", "wheels", "archipel[agent,tui]"},
    "stty": {"rows", "cols", "24", "80"},
}
TYPED = [(page, words) for page in pages.PAGES for words in [*pages.commands(page), *pages.mentions(page)]]
SITE = SiteDocument(
    site_id="s-0123456789abcdef",
    generation=0,
    origin=Origin.LOCAL,
    name="x",
    network=Network(node_ip="192.0.2.7", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.36.3+k3s1", sha256="0" * 64),
    nodes=(NodeSpec(node_id="n-0123456789abcdef", node_name="box"),),
)


def without_sudo(words: list[str]) -> list[str]:
    return words[1:] if words[0] == "sudo" else words


def read_by_typer(words: list[str]) -> None:
    """Have the command of the fleet read its words, without doing anything."""
    command: Any = typer.main.get_command(application())
    while hasattr(command, "commands") and words != ["--help"]:
        command, words = command.commands[words[0]], words[1:]
    if words == ["--help"]:
        return
    command.make_context("archipel fleet", list(words))


@pytest.mark.parametrize(
    ("page", "words"), TYPED, ids=[f"{page}: {' '.join(words)}" for page, words in TYPED]
)
def test_a_command_on_a_page_can_be_typed_like_that(page: str, words: list[str]) -> None:
    program, *rest = without_sudo(words)
    if program == "archipel":
        module, _, _ = COMMANDS[rest[0]]
        if rest[0] == "fleet":
            read_by_typer(rest[1:])
        elif rest[0] == "tui":
            importlib.import_module(module)
        else:
            example = ["cgroup-v1" if word == "CODE" else word for word in rest[1:]]
            importlib.import_module(module).parser().parse_args(example)
    elif program == "sh":
        assert rest[0] == "install.sh"
        known = shell.run(["sh", str(INSTALLER), "--help"]).ok().stdout
        assert all(word in known for word in rest[1:] if word.startswith("--"))
    else:
        assert set(rest) <= OF_THE_SYSTEM[program], f"{page}: {words} is not looked after by any test"


@pytest.mark.parametrize("page", pages.PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert [
        link for link in pages.links(page) if "://" not in link and not (pages.DOCS / link).exists()
    ] == []


def test_every_page_is_listed_in_the_table_of_contents() -> None:
    listed = pages.text("README")
    assert [page for page in pages.PAGES if f"({page}.md)" not in listed] == []


def test_the_technicians_page_takes_ten_minutes_to_read() -> None:
    # 238 words a minute, what adults read on average of a text that is no story (Brysbaert, 2019).
    assert pages.prose_words("technician") <= 10 * 238


def test_every_state_word_is_explained_to_the_technician() -> None:
    explained = {code for row in pages.rows("technician") for code in pages.codes(row[0])}
    assert {health.value for health in Health} <= explained


def test_every_exit_code_is_explained_to_the_technician() -> None:
    firsts = " ".join(row[0] for row in pages.rows("technician"))
    missing = [
        code for code in Exit if code is not Exit.INTERRUPTED and not re.search(rf"\b{int(code)}\b", firsts)
    ]
    assert missing == []


def test_every_option_of_the_installer_is_on_its_page() -> None:
    options = set(re.findall(r"^    (--[a-z-]+)[ )|]", INSTALLER.read_text(), re.MULTILINE)) | {
        "--wheels",
        "--version",
    }
    described = {code.split()[0] for row in pages.rows("install") for code in pages.codes(row[0])}
    assert options - {"--help"} <= described


def of_hardening() -> dict[str, str]:
    """Return every key of config.yaml with its value, those of components included."""
    values = config_values(SITE, SITE.nodes[0].node_id, "token", Paths())
    return {**{key: str(values[key]) for key in OF_THE_SITE}, **hardened(values)}


def test_every_hardening_key_stands_on_its_page_and_no_other() -> None:
    table = [row for row in pages.rows("hardening") if len(row) == 4]
    described = {code for row in table for code in pages.codes(row[0])}
    assert described == set(of_hardening())
    assert all(row[2] and row[3] for row in table)


@pytest.mark.parametrize(
    ("key", "shown"),
    [("audit-log-maxage", "30 days"), ("audit-log-maxbackup", "2 old"), ("audit-log-maxsize", "10 MB"),
     ("request-timeout", "300 s"), ("max-requests-inflight", "400, 200"), ("terminated-pod-gc-threshold", "100"),
     ("streaming-connection-idle-timeout", "5 min"), ("pod-max-pids", "4096"), ("write-kubeconfig-mode", "0600"),
     ("enable-admission-plugins", "NodeRestriction, EventRateLimit")],
)  # fmt: skip
def test_the_value_on_the_hardening_page_is_the_one_that_is_set(key: str, shown: str) -> None:
    row = next(row for row in pages.rows("hardening") if key in pages.codes(row[0]))
    numbers = re.findall(r"\d+|[A-Z]\w+", of_hardening()[key])
    assert shown in row[1] and all(number in row[1] for number in numbers)


def test_every_kernel_setting_stands_on_the_hardening_page_with_its_value() -> None:
    table = {pages.codes(row[0])[0]: row[1] for row in pages.rows("hardening") if len(row) == 3}
    assert table == dict(KERNEL_SETTINGS)


def listed_files() -> dict[str, list[str]]:
    return {code.rstrip("/"): row[3:] for row in pages.rows("files") for code in pages.codes(row[0])}


def covered(path: Path) -> bool:
    """Whether the path, or a directory that holds it, is in the table of files."""
    return any(str(place) in listed_files() for place in (path, *path.parents))


def test_every_file_we_write_is_in_the_table_of_files() -> None:
    paths = Paths()
    ours = [paths.database, paths.socket, paths.staging, paths.k3s_log, paths.k3s_binary, paths.k3s_unit, paths.sysctl,
            paths.command, paths.program / "current", paths.settings / "agent.toml", paths.kubeconfig, paths.k3s_images,
            *k3s_files(SITE, SITE.nodes[0].node_id, "token", paths)]  # fmt: skip
    assert [path for path in ours if not covered(path)] == []


def test_the_table_of_files_agrees_with_what_removal_takes() -> None:
    paths = Paths()
    for path in doomed(paths, keep_state=False):
        if "multi-user.target.wants" not in str(path):
            assert set(listed_files()[str(path)][::2]) == {"–"}, path
    assert listed_files()[str(paths.state)] == ["–", "stays", "–"]
    for place in K3S_PLACES:
        if place != "etc/cni":  # of other Kubernetes; k3s keeps its own below its data
            assert listed_files()[f"/{place}"][2] == "–", place


def test_places_of_the_site_are_the_ones_we_never_write() -> None:
    written = set(k3s_files(SITE, SITE.nodes[0].node_id, "token", Paths()))
    places = [code for row in pages.rows("site") for code in pages.codes(row[0]) if code.startswith("/")]
    assert len(places) >= 6
    for place in places:
        assert not any(path.match(place.rstrip("/")) for path in written), place


def test_every_contact_every_health_and_every_role_is_explained_to_the_fleets_admin() -> None:
    rows = {code: row for row in pages.rows("fleet-admin") for code in pages.codes(row[0])}
    assert {str(one) for one in (*ContactState, *AccountRole)} <= set(rows)
    marks = {str(one): MARK_OF_CONTACT[one].value[0] for one in ContactState}
    assert {name: pages.codes(rows[name][1])[0] for name in marks} == marks
    assert all(f"`{health}`" in pages.text("fleet-admin") for health in Health)

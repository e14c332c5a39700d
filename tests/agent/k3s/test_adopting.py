"""Reading a k3s that was here before, and telling how it differs from one of ours."""

import json
import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from archipel_agent.k3s import existing
from archipel_agent.k3s.by_hand import HandKeeper, marker
from archipel_agent.k3s.config import KERNEL_SETTINGS, config_values, yaml_text
from archipel_agent.k3s.drift import Ground, differences, line
from archipel_agent.k3s.existing import flat_yaml, parse_words
from archipel_agent.k3s.supervised import SupervisedKeeper
from archipel_agent.k3s.unit import k3s_unit
from archipel_agent.paths import Paths
from archipel_agent.plan import plan
from archipel_agent.ports import CommandFailed
from archipel_contract.adoption import Later
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, SiteDocument
from archipel_contract.status import K3sStatus, ServiceState
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk

NODE = "n-0123456789abcdef"
PATHS = Paths()
UNIT = k3s_unit(Path("/usr/local/bin/k3s"), PATHS.k3s_config)
SITE = SiteDocument(
    site_id="s-0123456789abcdef",
    generation=0,
    origin=Origin.LOCAL,
    name="x",
    network=Network(node_ip="192.0.2.7", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.36.3+k3s1", sha256=""),
    nodes=(NodeSpec(node_id=NODE, node_name="box"),),
    adopted=True,
)


def ground(**other: object) -> Ground:
    """A machine as `archipel up` leaves it, but for what is said."""
    usual: dict[str, object] = {
        "kernel": dict(KERNEL_SETTINGS),
        "unit": UNIT.unit,
        "wanted_unit": UNIT.unit,
        "has_accounts": True,
        "has_policies": True,
        "has_kubelet_file": True,
    }
    return Ground(**{**usual, **other})  # type: ignore[arg-type]  # each value has the type of its field


def ours() -> dict[str, tuple[str, ...]]:
    """The settings that we write, read back from the text of the file."""
    return flat_yaml(yaml_text(config_values(SITE, NODE, "secret", PATHS)))


def test_a_k3s_of_our_own_has_no_drift() -> None:
    assert differences(SITE, ours(), ground(), PATHS) == ()


@pytest.mark.parametrize(
    "key",
    sorted(
        set(config_values(SITE, NODE, "", PATHS)) - {"token", "cluster-cidr", "service-cidr", "cluster-dns"}
    ),
)
def test_each_setting_of_ours_that_is_missing_is_told(key: str) -> None:
    given = {name: value for name, value in ours().items() if name != key}
    found = differences(SITE, given, ground(), PATHS)
    assert found
    assert all(one.name == key or one.name.startswith(f"{key}: ") for one in found)
    assert all(one.later is Later.RESTART and one.means for one in found)


def test_networks_of_its_own_are_fixed_for_life_and_come_first() -> None:
    found = differences(SITE, {**ours(), "cluster-cidr": ("10.99.0.0/16",)}, ground(unit=None), PATHS)
    assert (found[0].name, found[0].later) == ("cluster-cidr", Later.NEVER)
    assert "fixed for life" in line(found[0])


def test_kernel_unit_and_files_are_compared_too() -> None:
    kernel = {**KERNEL_SETTINGS, "kernel.panic": "0", "vm.panic_on_oom": None}
    changed = ground(
        kernel=kernel, unit="other", has_accounts=False, has_policies=False, has_kubelet_file=False
    )
    found = {Path(one.name).name: one.later for one in differences(SITE, ours(), changed, PATHS)}
    assert found == {
        "k3s.service": Later.RESTART,
        "50-archipel.conf": Later.RESTART,
        "archipel-accounts.yaml": Later.NOW,
        "archipel-policies.yaml": Later.NOW,
        "kernel.panic": Later.NOW,
    }


def test_a_secret_among_its_settings_is_not_shown() -> None:
    given = {**ours(), "agent-token": ("hidden-word",), "datastore-endpoint": ("mysql://u:hidden-word@db",)}
    found = differences(SITE, given, ground(), PATHS)
    assert {one.name for one in found} == {"agent-token", "datastore-endpoint"}
    assert "hidden-word" not in " ".join(map(line, found))


def test_words_of_a_command_line_are_read_in_every_form() -> None:
    words = [
        "server",
        "--disable",
        "traefik",
        "--disable=servicelb",
        "--secrets-encryption",
        "-d",
        "/srv",
        "--tls-san=a=b",
    ]
    assert parse_words(words) == {
        "disable": ("traefik", "servicelb"),
        "secrets-encryption": ("true",),
        "data-dir": ("/srv",),
        "tls-san": ("a=b",),
    }


def test_settings_files_are_read_with_lists_quotes_and_remarks() -> None:
    text = """\
# x
disable: [traefik, 'servicelb']
tls-san:
  - a.example # why
  - "b.example"
node-name: 'box'
kubelet-arg+:
  - v=2
"""
    assert flat_yaml(text) == {
        "disable": ("traefik", "servicelb"),
        "tls-san": ("a.example", "b.example"),
        "node-name": ("box",),
        "kubelet-arg": ("v=2",),
    }


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.text(max_size=200), st.lists(st.text(max_size=12), max_size=8))
def test_whatever_stands_in_settings_is_read_without_an_error(text: str, words: list[str]) -> None:
    assert all(isinstance(value, tuple) for value in flat_yaml(text).values())
    assert all(value for value in parse_words(words).values())
    assert isinstance(differences(SITE, {**flat_yaml(text), **parse_words(words)}, ground(), PATHS), tuple)
    json.dumps([line(one) for one in differences(SITE, flat_yaml(text), ground(), PATHS)])


def test_data_in_another_place_is_told_apart_from_the_usual_one() -> None:
    assert existing.elsewhere({}, PATHS) == ""
    assert existing.elsewhere({"data-dir": ("/var/lib/rancher/k3s/",)}, PATHS) == ""
    assert existing.elsewhere({"data-dir": ("/srv/k3s",)}, PATHS) == "/srv/k3s"


def keeper(disk: TreacherousDisk) -> HandKeeper:
    """The keeper of a machine without systemd."""
    other = SupervisedKeeper(disk, PATHS.runtime, PATHS.state, PATHS.k3s_log)
    return HandKeeper(other, disk, PATHS)


def test_a_k3s_run_by_hand_is_never_started_ended_or_made_a_service() -> None:
    disk = TreacherousDisk()
    disk.write(marker(PATHS), b"x")
    kept = keeper(disk)
    for act in (kept.start, kept.stop, lambda: kept.install(UNIT)):
        with pytest.raises(CommandFailed, match="by hand"):
            act()
    kept.remove()
    assert (kept.status().kept_by, kept.installed(UNIT), kept.log(5)) == ("hand", False, ())


def test_without_an_adopted_one_the_usual_keeper_keeps_k3s() -> None:
    kept = keeper(TreacherousDisk())
    kept.install(UNIT)
    assert kept.installed(UNIT)
    assert kept.status().kept_by == "supervised"


def test_the_agent_starts_no_k3s_that_was_run_by_hand_and_has_ended() -> None:
    now = VirtualClock().now()
    ended = K3sStatus(state=ServiceState.STOPPED, kept_by="hand")
    assert plan(SITE, ended, None, now) == ()
    assert plan(SITE, K3sStatus(state=ServiceState.STOPPED, kept_by="supervised"), None, now) != ()


def test_this_process_is_not_taken_for_a_k3s() -> None:
    disk = TreacherousDisk()
    disk.write(marker(PATHS), b"x")
    assert keeper(disk).status().pid != os.getpid()

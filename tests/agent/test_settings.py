"""Settings: what counts when several say it, and that a wrong one is refused with its place."""

from pathlib import Path

import pytest

from archipel_agent.cli.agent import parser
from archipel_agent.settings import CHOICES, FILE, LEAST, Settings, load
from archipel_contract.settings import SettingsInvalid
from archipel_contract.status import LinkMode


def test_without_any_there_is_no_fleet_and_the_link_would_be_always_on(tmp_path: Path) -> None:
    made = load(tmp_path, {})
    assert made == Settings()
    assert (made.broker, made.link_mode, made.link_every, made.metrics_every) == (
        "",
        "always-on",
        3600.0,
        300.0,
    )


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / FILE).write_text('broker = "mqtt://127.0.0.1:1"\nlink_every = 60\nmetrics_every = 10\n')
    environment = {"ARCHIPEL_BROKER": "mqtt://127.0.0.1:2", "ARCHIPEL_LINK_EVERY": "120"}
    made = load(tmp_path, environment, {"broker": "mqtt://127.0.0.1:3", "link_every": None})
    assert (made.broker, made.link_every, made.metrics_every) == ("mqtt://127.0.0.1:3", 120.0, 10.0)


def test_the_agent_takes_each_setting_as_an_option() -> None:
    given = parser().parse_args(
        ["run", "--broker", "mqtt://127.0.0.1:1883", "--link-mode", "dial-in", "--link-every", "600"]
    )
    assert (given.broker, given.link_mode, given.link_every) == ("mqtt://127.0.0.1:1883", "dial-in", "600")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            'link_mode = "sometimes"',
            r"agent\.toml: link_mode must be one of always-on, dial-in, not 'sometimes'",
        ),
        ("link_every = 1", r"agent\.toml: link_every must be at least 10 seconds"),
        ("metrics_every = 0", r"agent\.toml: metrics_every must be at least 1 seconds"),
        ('metrics_every = "often"', r"metrics_every must be a number of seconds"),
        ("metrics_every = nan", r"metrics_every must be at least"),
        ("broker = 1883", r"agent\.toml: broker must be text in quotes"),
        ("brocker = ''", r"agent\.toml: unknown key 'brocker'; known are .*broker"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SettingsInvalid, match=place):
        load(tmp_path, {})


def test_every_setting_that_is_a_number_has_its_least_value() -> None:
    numbers = {name for name, kind in Settings.__annotations__.items() if kind is float}
    assert set(LEAST) == numbers


def test_the_link_modes_that_can_be_chosen_are_those_of_the_contract() -> None:
    assert set(CHOICES["link_mode"]) == set(LinkMode) - {LinkMode.OFF, LinkMode.UNKNOWN}


@pytest.mark.parametrize("text", ["logs", "logs, kubectl", "", " restart ,"])
def test_what_may_be_ordered_from_afar_is_a_list_with_commas(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, {"ARCHIPEL_REMOTE_VERBS": text}).remote_verbs == text


def test_a_verb_that_nobody_can_order_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"'reboot'.*restart"):
        load(tmp_path, {"ARCHIPEL_REMOTE_VERBS": "logs, reboot"})

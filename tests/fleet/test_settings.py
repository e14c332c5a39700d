"""Settings of the controller come from four places in order, and what is wrong in them is named, not passed over."""

from pathlib import Path

import pytest

from archipel_contract.settings import SettingsInvalid
from archipel_fleet.settings import FILE, NotLoopback, Settings, load


def settings(
    tmp_path: Path, file: str = "", environment: dict[str, str] | None = None, **flags: object
) -> Settings:
    if file:
        (tmp_path / FILE).write_text(file)
    return load({"data": str(tmp_path), **flags}, environment or {}, is_root=False)


def test_without_anything_given_the_controller_keeps_to_this_machine_and_starts_its_own_broker(
    tmp_path: Path,
) -> None:
    found = settings(tmp_path)
    assert (found.host, found.port) == ("127.0.0.1", 8470)
    assert (found.broker, found.embedded_port, found.database) == ("", 8883, "")
    assert found.is_secure and not found.is_public
    assert found.enrol_address == ("127.0.0.1", 8471)
    assert found.claimed == frozenset(range(64))


def test_the_command_line_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = 'listen = "127.0.0.1:1"\nlanguage = "de"\nbroker_port = 2001\n'
    around = {"ARCHIPEL_FLEET_LISTEN": "127.0.0.1:2", "ARCHIPEL_FLEET_BROKER_PORT": "2002"}
    found = settings(tmp_path, file, around, listen="127.0.0.1:3", broker_port=None)
    assert (found.port, found.broker_port, found.language) == (3, 2002, "de")


@pytest.mark.parametrize(
    ("environment", "is_root", "directory"),
    [
        ({"ARCHIPEL_FLEET_DATA": "/srv/fleet", "HOME": "/srv/a"}, True, "/srv/fleet"),
        ({"HOME": "/root"}, True, "/var/lib/archipel-fleet"),
        ({"HOME": "/srv/a"}, False, "/srv/a/.local/share/archipel-fleet"),
        ({"HOME": "/srv/a", "XDG_DATA_HOME": "/data"}, False, "/data/archipel-fleet"),
    ],
)
def test_the_data_directory_is_the_one_named_or_the_users_own(
    environment: dict[str, str], is_root: bool, directory: str
) -> None:
    assert load({}, environment, is_root).directory == Path(directory)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ('lisen = "127.0.0.1:1"', "unknown key 'lisen'"),
        ('data = "/elsewhere"', "unknown key 'data'"),
        ("listen = 8470", "must be text"),
        ('listen = "8470"', "must be address:port"),
        ('listen = "127.0.0.1:70000"', "must be address:port"),
        ('broker = "http://127.0.0.1"', "a broker is named like"),
        ('broker = "mqtt://127.0.0.1:port"', "the port is not a number"),
        ('database = "postgresql://127.0.0.1:port/a"', "must be like postgresql://"),
        ('database = "mysql://127.0.0.1/a"', "must begin with postgresql://"),
        ("broker_port = -1", "must be a port up to"),
        ("broker_port = true", "must be a port number"),
        ('shards = "0-64"', "must be shards"),
        ('shards = "all"', "must be shards"),
        ('language = "fr"', "must be one of en, de"),
        ("listen", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_refused_with_its_place(tmp_path: Path, file: str, says: str) -> None:
    with pytest.raises(SettingsInvalid, match=says) as refused:
        settings(tmp_path, file)
    assert str(tmp_path / FILE) in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsInvalid, match="not UTF-8"):
        settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "0.0.0.0:8470"),
        ("listen", "192.168.1.5:8470"),
        ("listen", "[::]:8470"),
        ("broker", "mqtt://broker.example:1883"),
        ("broker", "mqtt://10.0.0.1"),
        ("database", "postgresql://db.example/archipel"),
        ("database", "postgresql:///archipel?host=db.example"),
    ],
)
def test_every_address_off_this_machine_is_refused_while_there_are_no_keys(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(NotLoopback) as refused:
        load({"data": str(tmp_path), name: value}, {}, is_root=False)
    assert refused.value.code == "fleet-not-loopback"
    assert f"--{name}" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "[::1]:8470"),
        ("listen", "localhost:0"),
        ("broker", "mqtt://localhost:1884"),
        ("database", "postgresql:///archipel?host=/run/postgresql"),
        ("database", "postgresql://archipel@127.0.0.1:5433/archipel"),
    ],
)
def test_addresses_of_this_machine_are_taken(tmp_path: Path, name: str, value: str) -> None:
    found = load({"data": str(tmp_path), name: value}, {}, is_root=False)
    assert getattr(found, name) == value


def test_shards_may_be_ranges_and_single_ones(tmp_path: Path) -> None:
    assert settings(tmp_path, shards="0-2, 63").claimed == {0, 1, 2, 63}


def test_with_a_name_devices_come_from_other_machines(tmp_path: Path) -> None:
    found = settings(tmp_path, names="fleet.example, 10.0.0.7")
    assert found.is_public and found.enrol_address == ("0.0.0.0", 8471)
    assert found.server_names == ("fleet.example", "10.0.0.7", "127.0.0.1", "localhost", "::1")
    assert settings(tmp_path, names="fleet.example", enrol_listen="10.0.0.7:443").enrol_address == (
        "10.0.0.7",
        443,
    )


@pytest.mark.parametrize(
    ("given", "secure", "port"),
    [
        ({}, True, 8883),
        ({"security": "loopback"}, False, 1883),
        ({"broker": "mqtt://127.0.0.1:1883"}, False, 1883),
        ({"broker": "mqtts://broker.example"}, True, 8883),
    ],
)
def test_only_a_plain_link_on_this_machine_does_without_certificates(
    tmp_path: Path, given: dict[str, str], secure: bool, port: int
) -> None:
    file = "".join(f'{name} = "{value}"\n' for name, value in given.items())
    found = settings(tmp_path, file)
    assert (found.is_secure, found.embedded_port) == (secure, port)

"""What is missing is said in a sentence, and found again where the environment names it."""

from pathlib import Path

import pytest

from tests.hosts import image, offers, requirements
from tests.hosts.places import checked_name


def test_a_k3s_named_by_the_environment_comes_before_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    binary = tmp_path / "bin" / "k3s"
    binary.write_bytes(b"")
    monkeypatch.setenv("ARCHIPEL_K3S", str(binary))
    assert requirements.k3s_binary() == binary


def test_images_are_found_beside_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "k3s").write_bytes(b"")
    images = tmp_path / "share" / "k3s" / "images"
    images.mkdir(parents=True)
    monkeypatch.setenv("ARCHIPEL_K3S", str(tmp_path / "bin" / "k3s"))
    monkeypatch.delenv("ARCHIPEL_K3S_IMAGES", raising=False)
    assert requirements.missing_for_k3s() is not None
    (images / "all.tar").write_bytes(b"")
    assert requirements.k3s_images() == images
    assert requirements.missing_for_k3s() is None


def test_a_machine_without_k3s_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ARCHIPEL_K3S", raising=False)
    assert requirements.missing_for_k3s() == "no k3s on PATH and none named by ARCHIPEL_K3S"


def test_the_image_is_named_by_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.recipe()
    monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "nano"))
    assert image.recipe() != before


def test_the_allowances_name_only_what_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hosts.cgroups.is_unified", lambda: True)
    monkeypatch.setattr("tests.hosts.requirements.may_raise_oom_score", lambda: True)
    assert offers.allowances() == {}
    monkeypatch.setattr("tests.hosts.cgroups.is_unified", lambda: False)
    assert list(offers.allowances()) == [offers.K3S_DROP_IN]


@pytest.mark.parametrize("name", ["", "Edge", "1st", "a-name-too-long", "a.b"])
def test_a_name_that_cannot_be_a_hostname_and_a_cable_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        checked_name(name)

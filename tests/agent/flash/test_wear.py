"""What media say of their wear is read as their makers mean it."""

import json

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.flash.budget import budget
from archipel_agent.flash.wear import Wear, of_device, used_percent, with_smart
from tests.agent.flash.planted import EMMC, PATHS, PI, planted

GB = 1_000_000_000
NVME = {
    "model_name": "WD Red SN700 500GB",
    "smart_status": {"passed": True},
    "nvme_smart_health_information_log": {"percentage_used": 83, "media_errors": 2, "available_spare": 100},
}
SATA = {
    "model_name": "Samsung SSD 860 EVO 250GB",
    "smart_status": {"passed": False},
    "ata_smart_attributes": {
        "table": [
            {"id": 9, "name": "Power_On_Hours", "value": 97},
            {"id": 177, "name": "Wear_Leveling_Count", "value": 41},
        ]
    },
}


def test_an_sd_card_is_named_and_says_nothing_of_its_wear() -> None:
    wear = of_device(planted(PI), PATHS, "mmcblk0")
    assert wear.name == "SC32G, maker 0x000003/0x5344, made 08/2023"
    assert (wear.used_percent, wear.spare, wear.errors) == (None, None, None)


def test_an_emmc_is_as_worn_as_the_worse_of_its_two_estimates() -> None:
    wear = of_device(planted(EMMC), PATHS, "mmcblk0")
    assert (wear.kind, wear.used_percent, wear.spare) == ("emmc", 90, 2)


@pytest.mark.parametrize(
    ("life", "percent"),
    [
        ("0x01 0x01", 10),
        ("0x0a 0x01", 100),
        ("0x0b 0x0b", 110),
        ("0x00 0x00", None),
        ("", None),
        ("x y", None),
    ],
)
def test_the_tenths_of_an_emmc(life: str, percent: int | None) -> None:
    assert used_percent(life) == percent


def test_an_nvme_says_how_much_is_used_and_a_sata_disk_how_much_is_left() -> None:
    plain = Wear(device="nvme0n1", kind="nvme", size=500 * GB)
    nvme = with_smart(plain, json.dumps(NVME))
    assert (nvme.used_percent, nvme.errors, nvme.failing, nvme.size) == (83, 2, False, 500 * GB)
    sata = with_smart(Wear(device="sda", kind="ssd"), json.dumps(SATA))
    assert (sata.used_percent, sata.failing, sata.name) == (59, True, "Samsung SSD 860 EVO 250GB")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NVME, *SATA, "table", "value", "name", "percentage_used", "passed"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@hypothesis.given(VALUES.map(json.dumps) | st.text(max_size=40))
def test_whatever_smartctl_prints_the_device_stays_the_same_one(text: str) -> None:
    wear = with_smart(Wear(device="sda", kind="ssd", size=5), text)
    assert (wear.device, wear.kind, wear.size) == ("sda", "ssd", 5)
    assert wear.used_percent is None or isinstance(wear.used_percent, int)


@pytest.mark.parametrize(
    ("setting", "kind", "size", "bound"),
    [
        ("auto", "sd", 32 * GB, 2.24e9),
        ("auto", "nvme", 500 * GB, 150e9),
        ("auto", "hdd", 500 * GB, None),
        ("auto", "sd", None, None),
        ("1500", "hdd", None, 1.5e9),
        ("0", "sd", 32 * GB, None),
    ],
)
def test_the_budget_follows_from_kind_and_size_unless_it_is_set(
    setting: str, kind: str, size: int | None, bound: float | None
) -> None:
    found = budget(setting, kind, size)
    assert found == (None if bound is None else pytest.approx(bound))

"""A box with an answer file comes up and into its fleet by itself, in virtual time."""

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel_agent.answers.keeper import BOOT_PATIENCE
from archipel_agent.paths import token_file
from archipel_agent.settings import FILE as SETTINGS_FILE
from archipel_contract.answers import FILE, RESULT_JSON, AnswersState, AnswersStatus, Deed
from archipel_contract.jobs import JobRequest, JobState, Verb
from archipel_contract.site import Desired
from archipel_contract.status import Membership
from tests.agent.answers.boxes import BOOT, MEDIUM, TURN, Box, answers
from tests.chaos.node import STICK
from tests.fakes.enrolment import FakeFleet


def codes(status: AnswersStatus) -> list[str]:
    """What was not done."""
    return [one.code for one in status.findings]


def deeds(status: AnswersStatus) -> set[Deed]:
    """What was done."""
    return {one.deed for one in status.done}


def test_a_box_with_a_file_on_its_boot_partition_comes_up_and_enrols_with_nobody_typing(
    box: Box, fleet: FakeFleet
) -> None:
    box.lay(answers(fleet))
    status = box.live()
    assert status.state is AnswersState.DONE
    assert deeds(status) == {Deed.SETTINGS, Deed.TOKEN, Deed.UP, Deed.ENROLLED, Deed.BLANKED}
    assert codes(status) == []
    site = box.node.store.site()
    assert site is not None and site.name == "Hall 3"
    assert box.way_in.status().state is Membership.ENROLLED
    assert box.settings.proxy == "http://proxy.example:3128"
    assert [request.verb for request in box.jobs] == [Verb.UP]
    assert "#" not in box.at(BOOT / FILE)
    assert "It has been applied." in box.result
    assert json.loads(box.at(BOOT / RESULT_JSON))["state"] == "done"


def test_the_token_is_nowhere_but_where_it_is_needed(box: Box, fleet: FakeFleet) -> None:
    fleet.approves = False
    text = answers(fleet)
    secret = next(iter(fleet.tokens.values())).secret
    box.lay(text)
    assert box.live().state is AnswersState.WORKING
    holding = [
        name for name, one in box.disk.all().items() if one.data is not None and secret.encode() in one.data
    ]
    assert holding == ["/var/lib/archipel/identity/invitation"]


def test_nothing_is_done_twice_whatever_number_of_boots_there_are(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.live()
    before = box.disk.all()
    for _ in range(3):
        box.boot()
        assert box.live(6).state is AnswersState.DONE
    assert len(box.jobs) == 1
    assert len(fleet.requests) == 1
    assert {
        name: one for name, one in box.disk.all().items() if name not in before or before[name] != one
    } == {}


def test_a_clock_in_1970_does_not_keep_answers_from_being_applied(box: Box, fleet: FakeFleet) -> None:
    box.clock.jump(datetime(1970, 1, 1, tzinfo=UTC))
    box.lay(answers(fleet, time="not_before = 2026-11-22"))
    status = box.live()
    assert status.state is AnswersState.DONE
    assert Deed.CLOCK in deeds(status)
    assert box.clock.now().year == 2026


def test_without_a_word_about_the_time_all_but_the_site_is_done_in_1970(box: Box, fleet: FakeFleet) -> None:
    box.clock.jump(datetime(1970, 1, 1, tzinfo=UTC))
    box.lay(answers(fleet))
    status = box.live()
    assert {Deed.SETTINGS, Deed.TOKEN, Deed.ENROLLED, Deed.BLANKED} <= deeds(status)
    assert "used 1970" not in box.at(BOOT / FILE)  # the best time there is, not the clock's
    assert box.node.store.site() is not None or "answers-up-failed" in codes(status)


def test_once_somebody_has_set_the_clock_the_site_is_tried_again_at_once(box: Box, fleet: FakeFleet) -> None:
    right = box.clock.now()
    box.clock.jump(datetime(1970, 1, 1, tzinfo=UTC))
    box.lay(answers(fleet))
    # Long enough that the next try is minutes away.
    assert "clock-behind" in codes(box.live(20))
    # To be copied from it, so in one line.
    assert any(
        line.endswith("sudo archipel clock set '2026-11-22 08:00'") for line in box.result.splitlines()
    )
    tried = len(box.jobs)
    assert "clock-behind" in codes(box.live(2)) and len(box.jobs) == tried
    box.clock.jump(right)
    assert box.live(2).state is AnswersState.DONE


def test_a_site_that_cannot_come_up_yet_is_tried_again_and_at_once_when_the_network_changes(
    box: Box, fleet: FakeFleet
) -> None:
    state = box.node.world.state
    there = state.facts
    state.facts = type(there)(
        **{**{name: getattr(there, name) for name in there.__slots__}, "nics": (), "routes": ()}
    )
    box.lay(answers(fleet))
    status = box.live()
    assert "answers-up-failed" in codes(status)
    assert status.waits_for == (Deed.UP,)
    assert Deed.ENROLLED in deeds(status)  # one does not wait for the other
    tried = len(box.jobs)
    box.live(12)
    assert tried < len(box.jobs) < tried + 6  # less and less often
    state.facts = there
    status = box.live(2)
    assert status.state is AnswersState.DONE
    assert codes(status) == []


def test_a_person_who_stops_the_site_meanwhile_has_the_last_word(box: Box, fleet: FakeFleet) -> None:
    box.node.world.inject("port-taken")
    box.lay(answers(fleet))
    assert "answers-up-failed" in codes(box.live())
    box.node.do(JobRequest(verb=Verb.DOWN, key="by-hand"))
    tried = len(box.jobs)
    status = box.live(200)
    assert "answers-stopped" in codes(status)
    assert len(box.jobs) == tried


def test_somebody_elses_job_is_waited_for(box: Box, fleet: FakeFleet) -> None:
    box.is_busy = True
    box.lay(answers(fleet))
    assert box.live().waits_for == (Deed.UP,)
    box.is_busy = False
    assert box.live().state is AnswersState.DONE


def test_a_changed_name_is_applied_to_a_running_site_and_a_changed_network_is_not(
    box: Box, fleet: FakeFleet
) -> None:
    box.lay(answers(fleet))
    box.live()
    kept = box.node.store.site()
    changed = box.at(BOOT / FILE).replace('"Hall 3"', '"Hall 4"\npod_network = "10.52.0.0/16"')
    box.lay(changed)
    status = box.live()
    assert codes(status) == ["answers-site-settled"]
    assert status.findings[0].params["kept"] == "10.42.0.0/16"
    site = box.node.store.site()
    assert site is not None and kept is not None
    assert (site.name, site.network) == ("Hall 4", kept.network)
    assert box.jobs[-1].options == {"name": "Hall 4"}
    assert len(fleet.requests) == 1  # and the token that was used is not asked for again


def test_another_fleet_is_not_joined_because_a_file_says_so(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.live()
    box.lay(answers(fleet).replace("fleet.example", "other.example"))
    status = box.live()
    assert codes(status) == ["answers-other-fleet"]
    assert box.way_in.status().address == "https://fleet.example:8471"
    assert not box.disk.exists(token_file(box.paths)) or "#7" not in box.at(token_file(box.paths))


def test_what_its_pods_would_notice_is_for_a_person_to_decide(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.live()
    box.lay(
        box.at(BOOT / FILE).replace('name = "Hall 3"', 'name = "Hall 3"\ncomponents = ["coredns", "traefik"]')
    )
    status = box.live()
    [found] = [one for one in status.findings if one.code == "answers-by-hand"]
    assert found.params["command"].startswith("sudo archipel up --component traefik --no-component")
    assert len(box.jobs) == 1


def test_a_stopped_site_is_not_started_by_a_file(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.live()
    box.node.do(JobRequest(verb=Verb.DOWN, key="by-hand"))
    box.lay(box.at(BOOT / FILE).replace("Hall 3", "Hall 4"))
    assert codes(box.live()) == ["answers-stopped"]
    site = box.node.store.site()
    assert site is not None and site.desired is Desired.STOPPED


def test_a_setting_that_somebody_wrote_by_hand_stays_and_the_answers_say_so(
    box: Box, fleet: FakeFleet
) -> None:
    own = b'# ours\nproxy = "http://ours.example:8080"   # since May\n'
    box.disk.put(box.paths.settings / SETTINGS_FILE, own)
    box.lay(answers(fleet, remote="allowed = false"))
    box.boot()
    status = box.live()
    assert codes(status) == ["answers-setting-kept"]
    assert box.at(box.paths.settings / SETTINGS_FILE).startswith(own.decode())
    assert (box.settings.proxy, box.settings.remote) == ("http://ours.example:8080", "off")


def test_a_password_that_was_blanked_holds_when_the_file_is_changed_later(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet).replace("http://proxy", "http://me:hunter2@proxy"))
    box.live()
    assert "hunter2" not in box.at(BOOT / FILE)
    box.lay(box.at(BOOT / FILE).replace("Hall 3", "Hall 4"))
    box.live()
    assert box.settings.proxy == "http://me:hunter2@proxy.example:3128"
    assert box.disk.mode(box.paths.settings / SETTINGS_FILE) == 0o600
    box.lay('format = 1\n[site]\nname = "Hall 4"\n')
    box.live()
    assert box.settings.proxy == ""


def test_settings_with_a_mistake_are_left_alone(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.disk.put(box.paths.settings / SETTINGS_FILE, b"proxy = \n")
    status = box.live(1)
    assert "answers-settings-unusable" in codes(status)
    assert box.at(box.paths.settings / SETTINGS_FILE) == "proxy = \n"
    assert Deed.TOKEN in deeds(status)


@pytest.mark.parametrize(
    "text", ["format = 1\n[site]\nnam = 'x'\n", "", "format = 1\n[site]\nname = 'S\xfcd'\n"]
)
def test_a_file_with_a_mistake_changes_nothing_and_says_so_beside_itself(box: Box, text: str) -> None:
    box.disk.put(BOOT / FILE, text.encode("latin-1"))
    before = {name for name in box.disk.all() if not name.startswith(str(BOOT))}
    status = box.live()
    assert status.state is AnswersState.REFUSED
    assert all(one.code.startswith("answers-") for one in status.findings)
    assert box.disk.read(BOOT / FILE) == text.encode("latin-1")
    assert {name for name in box.disk.all() if not name.startswith(str(BOOT))} == before
    assert "Nothing was applied." in box.result
    assert status.findings[0].code in box.result


def test_a_corrected_file_is_applied_at_once(box: Box, fleet: FakeFleet) -> None:
    box.lay("format = 1\n[site]\nnam = 'x'\n")
    box.live()
    box.lay(answers(fleet))
    assert box.live().state is AnswersState.DONE


def test_a_file_too_large_is_not_even_read(box: Box) -> None:
    box.disk.put(BOOT / FILE, b"#" * (1 << 20))
    assert codes(box.live()) == ["answers-too-large"]


# --- where files lie ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [BOOT, Path("/boot"), Path("/boot/efi"), Path("/etc/archipel"), MEDIUM])
def test_a_file_counts_in_each_of_its_places(box: Box, fleet: FakeFleet, place: Path) -> None:
    box.plug()
    box.lay(answers(fleet), place)
    status = box.live()
    assert (status.state, status.file) == (AnswersState.DONE, str(place / FILE))


def test_two_files_that_differ_are_refused_and_one_that_is_taken_away_settles_it(
    box: Box, fleet: FakeFleet
) -> None:
    box.plug()
    box.lay(answers(fleet))
    box.lay(answers(fleet), MEDIUM)
    status = box.live()
    assert (status.state, codes(status)) == (AnswersState.REFUSED, ["answers-differ"])
    assert box.jobs == []
    box.disk.remove(MEDIUM / FILE)
    assert box.live().state is AnswersState.DONE


def test_equal_files_count_as_one_and_are_both_blanked(box: Box, fleet: FakeFleet) -> None:
    box.plug()
    text = answers(fleet)
    box.lay(text)
    box.lay(text, MEDIUM)
    status = box.live()
    assert (status.state, status.file) == (AnswersState.DONE, str(BOOT / FILE))
    assert "#" not in box.at(MEDIUM / FILE) + box.at(BOOT / FILE)
    assert len(box.jobs) == 1


def test_a_stick_that_comes_later_counts_and_the_file_from_before_does_not_come_back(
    box: Box, fleet: FakeFleet
) -> None:
    box.lay(answers(fleet))
    box.live()
    box.plug()
    box.lay('format = 1\n[site]\nname = "Hall 5"\n', MEDIUM)
    assert box.live().file == str(MEDIUM / FILE)
    box.media.mounted = ()
    box.disk.remove(MEDIUM / FILE)
    box.boot()
    box.live()
    site = box.node.store.site()
    assert site is not None and site.name == "Hall 5"


def test_a_stick_pulled_too_early_is_blanked_when_it_is_back(box: Box, fleet: FakeFleet) -> None:
    box.plug()
    text = answers(fleet)
    box.lay(text, MEDIUM)
    box.keeper._blank = lambda: ("", None)  # type: ignore[method-assign]  # pulled just before
    box.keeper.look()
    box.disk.remove(MEDIUM / FILE)
    box.boot()
    box.live()
    box.lay(text, MEDIUM)
    status = box.live()
    assert status.state is AnswersState.DONE
    assert "used 2026-" in box.at(MEDIUM / FILE)
    assert len(fleet.requests) == 1


# --- media that do not play along -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EROFS, "answers-read-only"),
        (errno.ENOSPC, "answers-place-full"),
        (errno.EIO, "answers-not-written"),
    ],
)
def test_a_boot_partition_that_takes_nothing_is_a_finding_and_the_machine_goes_on(
    box: Box, fleet: FakeFleet, number: int, code: str
) -> None:
    box.lay(answers(fleet))
    whole = type(box.disk).write

    def write(path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        if path.is_relative_to(BOOT):
            raise OSError(number, "no")
        whole(box.disk, path, data, mode, wipes)

    box.disk.write = write  # type: ignore[method-assign]  # one place of the disk refuses
    status = box.live(8)
    assert (status.state, codes(status)) == (AnswersState.DONE, [code])
    box.boot()
    box.live()
    assert len(fleet.requests) == len(box.jobs) == 1  # the token in it counted once
    del box.disk.write  # it takes something again
    box.boot()
    status = box.live()
    assert codes(status) == []
    assert "used 2026-" in box.at(BOOT / FILE)


def test_a_missing_boot_partition_is_not_taken_for_no_answers(box: Box, fleet: FakeFleet) -> None:
    box.lacks_boot()
    box.lay('format = 1\n[site]\nname = "From the image"\n', Path("/etc/archipel"))
    status = box.live()
    assert (status.state, box.jobs) == (AnswersState.WAITING, [])
    box.media.missing = None
    box.lay('format = 1\n[site]\nname = "From the image"\n')
    assert box.live().file == str(BOOT / FILE)


def test_a_boot_partition_that_never_comes_is_a_finding_and_the_machine_goes_on(box: Box) -> None:
    box.lacks_boot()
    box.lay(f'format = 1\n[site]\nname = "Hall 3"\n[k3s]\nk3s = "{STICK}"\n', Path("/etc/archipel"))
    status = box.live(int(BOOT_PATIENCE / TURN) + 3)
    assert (status.state, codes(status)) == (AnswersState.DONE, ["answers-boot-missing"])
    assert box.node.store.site() is not None


# --- people ---------------------------------------------------------------------------------------------------------


def test_a_file_given_by_hand_is_applied_even_if_it_was_before(box: Box, fleet: FakeFleet) -> None:
    box.lay(answers(fleet))
    box.live()
    box.node.do(JobRequest(verb=Verb.UP, options={"name": "By hand"}, key="by-hand"))
    assert box.keeper.apply(BOOT / FILE).state in (AnswersState.WORKING, AnswersState.DONE)
    assert box.live().state is AnswersState.DONE
    site = box.node.store.site()
    assert site is not None and site.name == "Hall 3"


def test_a_job_that_somebody_cancels_is_not_begun_again(box: Box, fleet: FakeFleet) -> None:
    real = box._start

    def cancelled(*words: object) -> object:
        job = real(*words)  # type: ignore[arg-type]  # passed on
        stopped = type(job)(
            **{name: getattr(job, name) for name in job.__slots__} | {"state": JobState.CANCELLED}
        )
        box.node.store.keep_job(stopped, box.jobs[-1].key)
        box.node.store.keep_site(None)
        return stopped

    box._start = cancelled  # type: ignore[method-assign,assignment]  # somebody stops it
    box.boot()
    box.lay(answers(fleet))
    status = box.live(100)
    assert "answers-stopped" in codes(status)
    assert len(box.jobs) == 1


# --- the boot line ----------------------------------------------------------------------------------------------------


def pi_without_memory_groups(box: Box) -> None:
    """Have the machine be a Raspberry Pi as it is delivered: without the word in its boot line that k3s needs."""
    box.node.world.inject("memory-cgroup-off")
    box.disk.put(Path("/boot/firmware/cmdline.txt"), b"console=tty1 root=PARTUUID=1-2 rootwait\n")


@pytest.mark.parametrize("is_allowed", [True, False])
def test_the_boot_line_is_completed_and_the_machine_restarted_once_where_the_file_allows_it(
    box: Box, fleet: FakeFleet, is_allowed: bool
) -> None:
    pi_without_memory_groups(box)
    box.lay(answers(fleet, hardware=f"boot_line = {str(is_allowed).lower()}"))
    status = box.live(20)
    found = codes(status)
    assert "answers-up-failed" in found or is_allowed
    fixes = [request.options for request in box.jobs if request.verb is Verb.FIX]
    assert fixes == ([{"code": "memory-cgroup-off-pi"}] if is_allowed else [])
    assert box.restarts == is_allowed

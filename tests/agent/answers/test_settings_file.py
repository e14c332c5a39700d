"""What the answers say gets into agent.toml, and what a person wrote there stays, whatever it is."""

import tomllib

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.answers.settings_file import BEGIN, END, Unreadable, merge

KEYS = st.sampled_from(["proxy", "remote", "link_every", "language"])
VALUES = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8),
    st.floats(1, 1e7).map(lambda one: round(one, 3)),
)
WISHES = st.dictionaries(KEYS, VALUES, max_size=3)


def test_the_first_answers_are_added_at_the_end() -> None:
    made = merge("# ours\nlog_level = 'INFO'", {"proxy": "http://p:1", "link_every": 21600.0}, {})
    assert made.text == (
        f"# ours\nlog_level = 'INFO'\n{BEGIN}\nproxy = \"http://p:1\"\nlink_every = 21600\n{END}\n"
    )
    assert made.kept == {}


def test_later_answers_replace_the_earlier_ones_and_what_is_not_said_any_more_goes() -> None:
    first = merge("", {"proxy": "http://p:1", "remote": "off"}, {})
    then = merge(first.text, {"proxy": "http://p:2"}, {key: [value] for key, value in first.written.items()})
    assert tomllib.loads(then.text) == {"proxy": "http://p:2"}
    assert merge(then.text, {}, {"proxy": ["http://p:2"]}).text == ""


def test_a_value_changed_by_hand_between_the_marks_is_theirs_from_then_on() -> None:
    first = merge("", {"proxy": "http://p:1"}, {})
    by_hand = first.text.replace("p:1", "p:9")
    then = merge(by_hand, {"proxy": "http://p:2"}, {"proxy": ["http://p:1"]})
    assert tomllib.loads(then.text) == {"proxy": "http://p:9"}
    assert then.kept == {"proxy": ("http://p:2", "http://p:9")}


def test_a_key_written_outside_too_is_put_right_in_favour_of_the_person() -> None:
    first = merge("", {"proxy": "http://p:1"}, {})
    then = merge("proxy = 'mine'\n" + first.text, {"proxy": "http://p:1"}, {"proxy": ["http://p:1"]})
    assert tomllib.loads(then.text) == {"proxy": "mine"}


def test_a_file_with_a_mistake_is_not_added_to() -> None:
    with pytest.raises(Unreadable):
        merge("proxy = \n", {"remote": "off"}, {})


@hypothesis.settings(max_examples=80, deadline=None)
@hypothesis.given(theirs=WISHES, steps=st.lists(WISHES, max_size=3))
def test_whatever_is_asked_for_a_persons_lines_stay_and_the_rest_is_as_last_asked(
    theirs: dict[str, str | float], steps: list[dict[str, str | float]]
) -> None:
    own = merge("", theirs, {}).text.replace(BEGIN, "# ours").replace(END, "# until here")
    text = own
    written: dict[str, str | float] = {}
    for wanted in steps:
        made = merge(text, wanted, {key: [value] for key, value in written.items()})
        text, written = made.text, dict(made.written)
        assert text.startswith(own)
        assert tomllib.loads(text) == {**wanted, **theirs}

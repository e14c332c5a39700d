"""What surrounds every page: language and colours, who is logged in, the menu, what the controller says of itself.

Called by `rendering`. Language and colours are chosen by the address (`?lang=de&theme=dark`), which a cookie remembers, else
by the browser's own wish, so that neither needs a script.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from archipel_contract.catalogue import LANGUAGES
from archipel_contract.catalogue.web import Words
from archipel_fleet.records import Account, AccountRole, FleetSummary
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.sites import Choice

LANGUAGE_NAMES = {"en": "EN", "de": "DE"}
THEMES = ("auto", "light", "dark")
COOKIES = {"lang": "archipel_lang", "theme": "archipel_theme"}
ALLOWED = {"lang": LANGUAGES, "theme": THEMES}
AWAY_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Since when the controller listens."""

    length: str
    machine: str
    full: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One page's surroundings."""

    title: str
    language: str
    theme: str
    account: Account | None
    form_token: str
    here: str = ""
    as_of: Moment | None = None
    languages: tuple[Choice, ...] = ()
    themes: tuple[Choice, ...] = ()
    since: Listening | None = None
    away: tuple[str, ...] = ()
    live_part: str = ""  # address of what is fetched again when something changed; empty for nothing
    stream: str = ""

    @property
    def sees_all(self) -> bool:
        """Whether the reader sees more than one customer's sites."""
        return self.account is not None and self.account.customer is None

    @property
    def menu(self) -> tuple[tuple[str, str], ...]:
        """Key of the word, and address."""
        entries = (("sites", "/sites"), ("nodes", "/nodes"), ("devices", "/devices"), ("audit", "/audit"))
        is_admin = self.account is not None and self.account.role is AccountRole.ADMIN
        return (*entries, ("accounts", "/accounts")) if is_admin else entries


def chosen(name: str, query: Mapping[str, str], cookies: Mapping[str, str]) -> str | None:
    """Return the choice of `lang` or `theme`; None where nobody chose. What there is not counts as not chosen."""
    for given in (query.get(name), cookies.get(COOKIES[name])):
        if given in ALLOWED[name]:
            return given
    return None


def preferred(header: str) -> str:
    """Return the language a browser asks for (RFC 9110, Accept-Language), English where it asks for none of ours."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, parameters = part.strip().partition(";")
        language = tag.split("-")[0].strip().lower()
        weight = parameters.strip().removeprefix("q=")
        try:
            wishes.append((-float(weight or 1), place, language))
        except ValueError:
            continue
    return next((one for weight, _, one in sorted(wishes) if one in LANGUAGES and weight < 0), "en")


def switches(
    words: Words, path: str, query: str, language: str, theme: str
) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Return the links that change the language and the colours, and keep everything else."""
    pairs = parse_qsl(query)

    def address(name: str, value: str) -> str:
        kept = [one for one in pairs if one[0] not in COOKIES]
        return f"{path}?{urlencode([*kept, (name, value)])}"

    languages = tuple(
        Choice(value=address("lang", one), word=LANGUAGE_NAMES[one], chosen=one == language)
        for one in LANGUAGES
    )
    themes = tuple(
        Choice(value=address("theme", one), word=words(f"page.theme-{one}"), chosen=one == theme)
        for one in THEMES
    )
    return languages, themes


def listening(words: Words, summary: FleetSummary, now: int) -> Listening:
    """Return since when the controller listens."""
    at = summary.controller_since
    return Listening(length=ages.length(words, now - at), machine=ages.machine(at), full=ages.full(at))


def away(words: Words, summary: FleetSummary, now: int, window: int) -> tuple[str, ...]:
    """Return the sentences about the times in the last `window` milliseconds when nobody listened, newest first."""
    ended = [one for one in summary.away if one.until is None or one.until > now - window]
    said = []
    for one in sorted(ended, key=lambda span: -span.since)[:AWAY_SHOWN]:
        if one.until is None:
            said.append(words("page.away-now", since=ages.full(one.since)))
        else:
            said.append(words("page.away", since=ages.full(one.since), until=ages.full(one.until)))
    return tuple(said)

"""Turns a template and its values into an answer: Jinja with escaping always on, assets with their fingerprint.

Called by the pages. All templates are read once, so that a damaged package fails at the start and no request waits for the
disk.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse

from archipel_contract.catalogue.web import Words
from archipel_fleet.api import auth
from archipel_fleet.ports import Clock
from archipel_fleet.records import FleetSummary
from archipel_fleet.web import frame as frames
from archipel_fleet.web.frame import Frame
from archipel_fleet.web.views import ages

HERE = Path(__file__).parent
STATIC = HERE / "static"
YEAR = 365 * 86_400  # seconds, how long a choice of language is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a page says of its surroundings."""

    key: str  # of the menu, empty for none
    title: str
    live_part: str = ""
    stream: str = ""
    summary: FleetSummary | None = None
    away_window: int = 0
    path: str = ""  # of the page, where the request's own is not one to go back to


class Rendering:
    """The templates."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._environment = templates()

    def words(self, request: Request) -> Words:
        """Return the words in the reader's language."""
        known = frames.chosen("lang", request.query_params, request.cookies)
        return Words(known or frames.preferred(request.headers.get("accept-language", "")))

    def page(
        self, request: Request, template: str, around: Around, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page; a request of htmx gets its moving part only (`sites.html` -> `sites_part.html`)."""
        words = self.words(request)
        frame = self._frame(request, words, around, self._clock.now())
        if request.headers.get("hx-request") == "true":
            template = template.replace(".html", "_part.html")
        text = self._environment.get_template(template).render(words=words, frame=frame, **values)
        response = HTMLResponse(text, status_code=status)
        for name, cookie in frames.COOKIES.items():
            if request.query_params.get(name) in frames.ALLOWED[name]:
                value = request.query_params[name]
                response.set_cookie(cookie, value, max_age=YEAR, httponly=True, samesite="lax", path="/")
        return response

    def _frame(self, request: Request, words: Words, around: Around, now: int) -> Frame:
        theme = frames.chosen("theme", request.query_params, request.cookies) or "auto"
        path = around.path or request.url.path
        languages, themes = frames.switches(
            words, path, "" if around.path else request.url.query, words.language, theme
        )
        summary = around.summary
        return Frame(
            title=around.title,
            language=words.language,
            theme=theme,
            account=auth.current_account(request),
            form_token=auth.form_token(request),
            here=around.key,
            as_of=ages.moment(words, now, now),
            languages=languages,
            themes=themes,
            since=frames.listening(words, summary, now) if summary and summary.controller_since else None,
            away=frames.away(words, summary, now, around.away_window) if summary else (),
            live_part=around.live_part,
            stream=around.stream,
        )


def words_of(request: Request) -> Words:
    """Return the words in the reader's language."""
    return _rendering(request).words(request)


def show(request: Request, template: str, around: Around, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; see Rendering.page."""
    return _rendering(request).page(request, template, around, status, **values)


def _rendering(request: Request) -> Rendering:
    rendering = request.app.state.rendering
    assert isinstance(rendering, Rendering)  # mount puts it there
    return rendering


@functools.cache
def templates() -> jinja2.Environment:
    """Return the templates, all of them read; call it before an event loop runs."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    fingerprint = _fingerprint()
    # An address that changes whenever any asset does: browsers may keep what they have for long.
    environment.globals["asset"] = lambda name: f"/static/{name}?v={fingerprint}"
    environment.globals["m"] = environment.get_template("macros.html").module
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def _fingerprint() -> str:
    total = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            total.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]

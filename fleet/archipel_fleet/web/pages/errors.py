"""Errors as pages: a heading, a sentence, the way back, in the reader's language. Called by the application's handlers."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from archipel_contract import catalogue
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Finding, Severity
from archipel_fleet.api import auth
from archipel_fleet.api.problems import FleetProblem
from archipel_fleet.web.pages.reading import BAD_ADDRESS
from archipel_fleet.web.rendering import Around, show, words_of

# Error word, then status -> table of sentences; what is neither has the general one.
BY_ERROR = {
    "form-not-genuine": "form-expired",
    "other-origin": "form-expired",
    "order-device-ended": "device-ended",
}
BY_STATUS = {
    400: "bad-form",
    403: "forbidden",
    404: "not-found",
    405: "wrong-method",
    413: "too-large",
    422: "bad-form",
}


def page(request: Request, status: int, problem: FleetProblem) -> Response:
    """Return the page of an error; set as the application's `problem_page`."""
    if status == 401:
        return RedirectResponse(auth.login_address(request.url.path), status_code=303)
    heading, sentence = said(words_of(request), status, problem)
    around = Around(key="", title=heading, path="/sites")
    shown = {"code": status, "heading": heading, "sentence": sentence}
    return show(_plain(request), "error.html", around, status, **shown)


def said(words: Words, status: int, problem: FleetProblem) -> tuple[str, str]:
    """Return heading and sentence. A finding of the catalogue speaks for itself, in its own words."""
    if problem.error == BAD_ADDRESS:
        return words("error.bad-request"), words("error.bad-request-text", name=problem.message)
    try:
        catalogue.entry(problem.error)
    except catalogue.CodeUnknown:
        key = BY_ERROR.get(problem.error) or BY_STATUS.get(status, "bad-form" if status < 500 else "failed")
        return words(f"error.{key}"), words(f"error.{key}-text")
    text = catalogue.words(Finding(code=problem.error, severity=Severity.PROBLEM), words.language)
    return text.title, f"{text.cause} {text.remedy}"


def _plain(request: Request) -> Request:
    """Return the request as one for a whole page: an error is never swapped into a part of another page."""
    scope = dict(request.scope)
    scope["headers"] = [one for one in scope["headers"] if one[0].lower() != b"hx-request"]
    return Request(scope)

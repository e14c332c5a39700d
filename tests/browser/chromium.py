"""A headless Chromium driven by selenium: Debian's own browser and driver, with what it says and asks for kept.

Used by the tests of this folder. One browser serves them all: starting one takes seconds.
"""

import base64
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
DRIVERS = ("/usr/bin/chromedriver",)
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root in a container
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-gpu",
    "--no-first-run",
    "--lang=en-US",
)
WIDE, NARROW = (1440, 900), (360, 740)


def missing() -> str | None:
    """Return why there can be no browser here, or None."""
    if not _first(BROWSERS):
        return "there is no chromium in /usr/bin"
    return None if _first(DRIVERS) else "there is no chromedriver in /usr/bin"


def _first(paths: tuple[str, ...]) -> str:
    return next((one for one in paths if Path(one).exists()), "")


def axe_source() -> str:
    """Return axe-core, which a development dependency carries."""
    path = distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")
    return Path(str(path)).read_text(encoding="utf-8")


@dataclass
class Chromium:
    """The browser. Addresses are paths of `base`."""

    base: str = ""
    _profile: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="archipel-chromium-"))

    def __post_init__(self) -> None:
        """Start it."""
        options = Options()
        options.binary_location = _first(BROWSERS)
        for argument in (*ARGUMENTS, f"--user-data-dir={self._profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(_first(DRIVERS)))
        self.driver.set_page_load_timeout(20)
        self._axe = axe_source()

    def close(self) -> None:
        """End it and forget what it kept."""
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def begin(self, base: str) -> None:
        """Forget cookies and everything said; from now on addresses are below `base`."""
        self.base = base
        self.command("Network.enable")
        self.command("Network.clearBrowserCookies")
        self.command("Emulation.setScriptExecutionDisabled", value=False)
        self.command("Emulation.setEmulatedMedia", media="", features=[])
        self.size(*WIDE)
        self.leave()
        self.said()
        self.asked_for()

    def leave(self) -> None:
        """Close whatever page is open, and its connections with it."""
        self.driver.get("about:blank")

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def size(self, width: int, height: int) -> None:
        """Make the window this large."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def go(self, path: str) -> None:
        """Open a page."""
        self.driver.get(self.base + path)

    def log_in(self, name: str, password: str) -> None:
        """Log in by the form."""
        self.go("/login?lang=en")
        self.find("#name").send_keys(name)
        self.find("#password").send_keys(password + Keys.ENTER)
        self.until(lambda: self.path().startswith("/sites"))

    def path(self) -> str:
        """Return path, query and fragment of the page that is open."""
        return str(self.driver.current_url).removeprefix(self.base)

    def find(self, selector: str) -> WebElement:
        """Return the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return what an element says, without waiting."""
        return str(
            self.run(f"return document.querySelector({json.dumps(selector)})?.textContent ?? ''")
        ).strip()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def until(self, holds: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until something holds; fail if it does not in time."""
        # A page may be replaced by the next one between finding a part of it and reading that.
        passing = (NoSuchElementException, StaleElementReferenceException)
        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.05, ignored_exceptions=passing)
        return waiting.until(lambda _: holds())

    def violations(self) -> list[str]:
        """Return what axe finds wrong with the page that is open: rule, and where."""
        if not self.run("return typeof axe !== 'undefined'"):
            self.run(self._axe)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']})"
            ".then(r => done(r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' ') + ': ' + n.failureSummary)])),"
            "      e => done([['axe failed', [String(e)]]]))"
        )
        return [f"{rule}: {where}" for rule, places in found for where in places[:3]]

    def said(self) -> list[str]:
        """Return what the console said since the last call, hints to developers left out."""
        return [one["message"] for one in self._log("browser") if one["level"] in ("SEVERE", "WARNING")]

    def asked_for(self) -> list[str]:
        """Return the addresses the pages asked for since the last call."""
        events = [json.loads(one["message"])["message"] for one in self._log("performance")]
        return [
            one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call] # selenium's own
        return found

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self.command("Page.printToPDF", printBackground=False)["data"])

"""Every page for everybody: axe finds nothing, nothing is wider than the window, nothing leaves the origin, keys suffice."""

from dataclasses import replace

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import NARROW, WIDE, Chromium
from tests.browser.conftest import ORDER
from tests.fakes import fleet_sites
from tests.fleet.web.visiting import House

pytestmark = [pytest.mark.browser, pytest.mark.real_process, pytest.mark.timeout(90)]

BERLIN, DRESDEN, GERA = (fleet_sites.site_id(number) for number in (1, 3, 6))
PAGES = {
    "sites": "/sites",
    "no-sites": "/sites?q=nothing-like-it&contact=overdue",
    "site": f"/sites/{BERLIN}",
    "silent-site": f"/sites/{DRESDEN}",
    "unheard-site": f"/sites/{GERA}",
    "nodes": "/nodes",
    "devices": "/devices",
    "accounts": "/accounts",
    "audit": "/audit",
    "site-audit": f"/sites/{BERLIN}/audit",
    "order": f"/orders/{ORDER}",
    "waiting-order": f"/orders/{ORDER.replace('1', '2')}",
    "not-found": "/nix",
    "login": "/login",
}
LOOKS = {
    "light": (WIDE, "light", "en"),
    "dark": (WIDE, "dark", "de"),
    "narrow": (NARROW, "light", "de"),
}


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_and_nothing_sticks_out_in_light_dark_and_narrow(
    page: str, browser: Chromium
) -> None:
    if page == "login":
        browser.find(".leave button").click()
    for look, (size, theme, language) in LOOKS.items():
        browser.size(*size)
        sign = "&" if "?" in PAGES[page] else "?"
        browser.go(f"{PAGES[page]}{sign}theme={theme}&lang={language}")
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.violations() == [], look
        assert browser.run("return document.documentElement.scrollWidth - window.innerWidth") <= 0, look
    expected = ["404"] if page == "not-found" else []
    said = [one for one in browser.said() if not any(f"status of {code}" in one for code in expected)]
    assert said == []
    assert [one for one in browser.asked_for() if not one.startswith((browser.base, "data:", "about:"))] == []


def test_axe_would_find_a_picture_without_words(browser: Chromium) -> None:
    browser.run("document.querySelector('main').append(new Image())")
    assert any(one.startswith("image-alt") for one in browser.violations())


def test_the_dark_theme_follows_the_system_unless_the_reader_chose(browser: Chromium) -> None:
    def ground() -> str:
        return str(browser.run("return getComputedStyle(document.body).backgroundColor"))

    browser.go("/sites?theme=auto")
    light = ground()
    browser.command(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    dark = ground()
    assert dark != light
    browser.go("/sites?theme=light")
    assert ground() == light
    assert browser.violations() == []
    browser.command("Emulation.setEmulatedMedia", features=[])
    browser.go("/sites?theme=dark")
    assert ground() == dark
    browser.go("/sites?theme=auto")


FOCUS = """
const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
return {place: [...document.querySelectorAll("*")].indexOf(one), id: one.id, tag: one.tagName,
        href: one.getAttribute("href"), width: parseFloat(style.outlineWidth),
        style: style.outlineStyle, seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight};
"""


def test_tab_walks_over_everything_in_order_and_the_focus_is_always_seen(browser: Chromium) -> None:
    browser.go("/sites")
    wanted = browser.run(
        "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, [tabindex=\"0\"]')]"
        ".filter(one => one.checkVisibility()).length"
    )
    seen = []
    for _ in range(wanted):
        browser.press(Keys.TAB)
        focus = browser.run(FOCUS)
        assert focus["style"] != "none", focus
        assert focus["width"] >= 2, focus
        assert focus["seen"], focus
        seen.append(focus)
    assert len({focus["place"] for focus in seen}) == wanted
    assert seen[0]["href"] == "#content"
    names = [focus["id"] for focus in seen]
    assert names.index("tile-all") < names.index("search") < names.index("sort-site")
    assert names.index("sort-site") < names.index(f"to-{BERLIN}")


def test_the_skip_link_leads_past_the_menu(browser: Chromium) -> None:
    browser.go("/sites")
    browser.press(Keys.TAB)
    browser.press(Keys.ENTER)
    browser.press(Keys.TAB)
    assert browser.run("return document.activeElement.id") == "tile-all"


def test_a_slash_leads_to_the_search_and_enter_searches(browser: Chromium) -> None:
    browser.go("/sites?contact=overdue")
    browser.find("body").send_keys("/")
    assert browser.run("return document.activeElement.id") == "search"
    browser.press("dres/" + Keys.BACKSPACE + Keys.ENTER)
    browser.until(lambda: "q=dres" in browser.path())
    assert "contact=overdue" in browser.path()
    assert browser.run("return document.querySelectorAll('tbody tr').length") == 1


def test_a_site_is_reached_and_read_with_keys_alone(browser: Chromium) -> None:
    browser.go("/sites")
    browser.run("document.getElementById(arguments[0]).focus()", f"to-{BERLIN}")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.path() == f"/sites/{BERLIN}")
    browser.run("document.querySelector('#finding-1-steps summary').focus()")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.run("return document.querySelector('#finding-1-steps').open") is True)


PAPER = (718, 1000)  # A4 upright, less the usual margins, in CSS pixels


@pytest.mark.parametrize("page", ["sites", "site", "nodes"])
def test_a_page_prints_on_upright_paper_without_its_controls(page: str, browser: Chromium) -> None:
    browser.go(f"{PAGES[page]}?theme=dark&lang=de")
    assert browser.pdf().startswith(b"%PDF-")
    browser.size(*PAPER)
    browser.command("Emulation.setEmulatedMedia", media="print")
    shown = browser.run(
        "return [...document.querySelectorAll('.bar, .filters, .contents, .pager, .live')]"
        ".filter(one => getComputedStyle(one).display !== 'none').length"
    )
    assert shown == 0
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert "Stand 2026-11-22 11:00:00 UTC" in browser.find(".head").text, "ages on paper need a date"


def test_everything_works_without_scripts(browser: Chromium) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    browser.go("/sites")
    browser.find("#tile-contact-overdue").click()
    browser.until(lambda: browser.path() == "/sites?contact=overdue")
    browser.find("#search").send_keys("celle" + Keys.ENTER)
    browser.until(lambda: "q=celle" in browser.path())
    browser.find(f"#to-{fleet_sites.site_id(2)}").click()
    browser.until(lambda: browser.find("h1").text == "celle")
    browser.find(".display a[href*='lang=de']").click()
    browser.until(lambda: "Warum, und was als Nächstes" in browser.find("#why h2").text)
    browser.find(".leave button").click()
    browser.until(lambda: browser.path().startswith("/login"))


def test_one_element_moves_only_where_the_reader_wants_motion(browser: Chromium) -> None:
    browser.go("/sites")
    motion = "return getComputedStyle(document.querySelector('.tile')).transitionDuration"
    assert browser.run(motion) != "0s"
    browser.command(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}]
    )
    assert browser.run(motion) == "0s"


@pytest.mark.parametrize(
    "name", ["x" * 300, '<script>window.broken = 1</script><img src="/x" onerror="window.broken = 2">']
)
def test_a_hostile_name_runs_nothing_and_sticks_out_nowhere(
    name: str, browser: Chromium, house: House
) -> None:
    house.store._rows[1] = replace(house.store._rows[1], name=name)
    for size in (WIDE, NARROW):
        browser.size(*size)
        for path in ("/sites", f"/sites/{BERLIN}"):
            browser.go(path)
            assert name in str(browser.find("main").get_property("textContent"))
            assert browser.run("return document.documentElement.scrollWidth - window.innerWidth") <= 0
            assert browser.run("return typeof window.broken") == "undefined"
    assert browser.said() == []

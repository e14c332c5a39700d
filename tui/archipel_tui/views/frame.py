"""What every screen has: the title row, the banner when the agent is away, help and the menu."""

from archipel_tui.store import Scene
from archipel_tui.text import (
    Line,
    Piece,
    clean,
    duration,
    labelled,
    length,
    line,
    pad,
    paragraph,
    spread,
    width,
    wrap,
)

RESTART = "sudo systemctl restart archipel-agent"
JOIN = "sudo usermod -aG archipel $USER"  # the group that may look, `contract.api.AccessRole`

# (key, word of the table `menu`)
ENTRIES = (
    ("1", "home"),
    ("2", "doctor"),
    ("4", "pods"),
    ("6", "logs"),
    ("8", "support"),
    ("U", "up"),
    ("S", "down"),
    ("F1", "help"),
    ("F9", "language"),
    ("Q", "leave"),
)


def title(scene: Scene, cells: int, name: str, note: str = "") -> Line:
    """The first row: which box, which screen, whether it is rehearsed, and the time."""
    report = scene.picture.report
    box = clean(report.node.node_name or report.node.facts.hostname) if report else "Archipel"
    right: list[Piece] = []
    if scene.picture.rehearsed:
        right += [(f" {scene.words('screen.rehearsal')} ", "flag")]
    right.append((f"  {scene.now:%H:%M} ", "bar"))
    left: list[Piece] = [(f" {box}  {name}", "bar")]
    room = cells - length(tuple(right)) - width(left[0][0]) - 3
    if note and width(note) <= room:
        left.append((f"   {note}", "bar"))
    return spread(left, right, cells, "bar")


def banner(scene: Scene, cells: int) -> list[Line]:
    """Rows below the title while the agent does not answer; none while it does."""
    picture, words = scene.picture, scene.words
    if picture.away_since is None:
        return []
    if picture.refused:
        first = words("away.refused", message=words.shown(clean(picture.refused)))
    else:
        first = words("away.since", time=f"{picture.away_since:%H:%M:%S}")
        if picture.report is not None:
            age = duration(scene.monotonic - picture.heard_at, words)
            first += " " + words("away.shown", age=age)
    texts = wrap(first, cells - 4)
    if not picture.refused:
        texts += wrap(_remedy(scene), cells - 4)
    marks = (" ! ", *("   " for _ in texts))
    return [line((pad(mark + text, cells), "alarm")) for mark, text in zip(marks, texts, strict=False)]


def away(scene: Scene, cells: int) -> list[Line]:
    """What to read while the agent has never answered: why, and what to do."""
    picture, words = scene.picture, scene.words
    if picture.away_since is None:
        return paragraph(words("away.waiting"), cells)
    if picture.refused:
        return paragraph(
            "x " + words("away.refused", message=words.shown(clean(picture.refused))), cells, "bad"
        )
    return [
        *paragraph("x " + words("away.first"), cells, "bad"),
        line(""),
        *labelled(words("fact.why"), words.shown(clean(picture.away)), cells),
        *labelled(words("fact.do"), _remedy(scene), cells, style="strong"),
        line(""),
        *paragraph(words("away.cluster"), cells),
        *paragraph(words("away.trying"), cells),
    ]


def _remedy(scene: Scene) -> str:
    if scene.picture.locked:
        return scene.words("away.join", command=JOIN)
    return scene.words("away.do", command=RESTART)


def help_page(scene: Scene, cells: int) -> list[Line]:
    """What this is, the keys and the marks."""
    words = scene.words
    keys = (
        ("0-9", "help.digits"),
        (words("keyname.up-down"), "help.arrows"),
        (words("keyname.page"), "help.arrows"),
        ("Enter", "help.enter"),
        ("Esc", "help.esc"),
        ("F9, G", "help.language"),
        ("Ctrl+L", "help.redraw"),
        ("Q, F10", "help.leave"),
    )
    marks = (
        ("+", "good", "help.mark-ok"),
        ("!", "warn", "help.mark-warning"),
        ("x", "bad", "help.mark-problem"),
        ("?", "soft", "help.mark-unknown"),
    )
    rows = [*paragraph(words("help.what"), cells), line(""), line((words("help.keys"), "label"))]
    for key, meaning in keys:
        rows += labelled("  " + key, words(meaning), cells, 14)
    rows += [line(""), line((words("help.marks"), "label"))]
    for mark, style, meaning in marks:
        rows.append(line("  ", (mark, style), "  " + words(meaning)))
    return rows


def menu(scene: Scene, cells: int, chosen: int) -> list[Line]:
    """All screens and actions with their keys; the chosen one has a bar."""
    rows = [*paragraph(scene.words("menu.hint"), cells), line("")]
    for index, (key, word) in enumerate(ENTRIES):
        here = index == chosen
        text = f"{'>' if here else ' '} {pad(key, 4)} {scene.words(f'menu.{word}')}"
        rows.append(line((pad(text, cells), "cursor" if here else "")))
    return rows


def keybar(keys: list[tuple[str, str]], cells: int) -> list[Line]:
    """The last rows: each key with its word, wrapped between keys only."""
    rows: list[list[Piece]] = [[]]
    room = cells
    for key, word in keys:
        needed = width(key) + width(word) + 3
        if needed > room and rows[-1]:
            rows.append([])
            room = cells
        rows[-1] += [(f" {key}", "key"), (f" {word} ", "")]
        room -= needed
    return [tuple(row) for row in rows]

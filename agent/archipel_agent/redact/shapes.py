"""What secrets look like: names that announce one, and shapes that are one by themselves. Data for `redact`, no logic.

Patterns begin with something literal or anchored, so that a megabyte of log takes about a second.
"""

import re

REMOVED = "[removed]"

# --- names after which a value is a secret; a name may have anything before it (`db-password`, `K3S_AGENT_TOKEN`) -----
NAME = (
    r"pass(?:word|wd|phrase|code|key)|(?<=[_-])pass|(?<=[_-])pwd|psk|token|secret|credentials?|joinkey"
    r"|(?:api|access|auth|private|preshared|pre-shared|join|account|encryption|signing|shared|secret|master)"
    r"[-_]?key(?:[-_]?id)?|secret[-_]?access[-_]?key|wep[-_]key\d|client-(?:key|certificate)-data|(?<![\w.-])auth"
    # Of tokens with keys in them (RFC 7512); a CA's pin is public, and so is a pin of a connector with nothing before it.
    r"|pin[-_]value|(?<=[_-])(?<!ca[_-])pin|recovery[-_ ]?(?:words?|text|phrase|code)"
)
ASSIGNED = re.compile(
    rf"(?P<name>{NAME})(?P<closed>\\*[\"'])?[ \t]*(?P<sign>:=|=>|:(?!:)|==?)[ \t]*(?P<open>\\*[\"'])?",
    re.IGNORECASE,
)
# What may stand before a name at the beginning of its line, when the value is the rest of the line.
LINE_START = re.compile(r"\s*(?:-\s+)?(?:export\s+|set\s+|environment=)?[\"']?[\w.-]*", re.IGNORECASE)
# A value without quotes in the middle of a line: after `=`, and after `:` inside {...}. A backslash before a quote or an
# n belongs to the text around it.
INLINE = re.compile(r"(?:(?!,[\w.-]+=|\\+[\"'n])[^\s\"'&])+")
IN_FLOW = re.compile(r"(?:(?!,\s|,[\"'\w-]+[:=]|\\+[\"'n])[^\s\"'}\]])+")
FLAG = re.compile(
    rf"(?P<name>--[\w-]{{0,40}}?(?:{NAME}))"
    r"(?P<between>\\*[\"']?(?:[ \t]*,[ \t\n]*|[ \t]*\n[ \t]*-[ \t]+|[ \t]+)\\*[\"']?)(?!--[a-z])"
    r"(?P<value>(?:(?!\\+[\"'n])[^\s\"'])+)",
    re.IGNORECASE,
)

# --- what is no secret although it stands where one would -------------------------------------------------------------
NOT_SECRET = {
    "",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "~",
    "<nil>",
    "[",
    "{",
    "|",
    ">",
    "yes",
    "no",
    "map",
}
STOP_WORDS = set(
    [
        "to",
        "is",
        "or",
        "and",
        "flag",
        "flags",
        "for",
        "must",
        "was",
        "option",
        "options",
        "value",
        "values",
        "with",
        "the",
        "a",
        "in",
        "as",
        "not",
        "if",
        "file",
        "when",
        "on",
        "instead",
        "cannot",
        "can",
        "be",
        "required",
        "argument",
        "arguments",
        "parameter",
        "has",
        "have",
        "of",
        "on",
        "should",
        "may",
        "will",
        "from",
        "by",
        "were",
        "are",
        "given",
    ]
)
PLAIN_WORD = re.compile(r"[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)*")
OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
STAND_IN = re.compile(r"\*+|<[\w -]+>\[?")  # how programs hide a value themselves, and how they describe one
PATH = re.compile(r"/(?:etc|var|run|usr|opt|srv|mnt|home|root|tmp|proc|sys|data|apis?)(?:/[\w.@:-]*)*")

# --- private keys in PEM, OpenSSH or PGP form, line ends real or written as \n, beginning or end perhaps cut off -------
PRIVATE = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]*)PRIVATE KEY(?P<block> BLOCK)?-----"
    r"(?:(?s:.{0,20000}?)-----END (?P=kind)PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\n[^\n]{0,120}?|\\+n)[A-Za-z0-9+/=]{40,}[ \t\r]*(?=\n|\\|\Z|[\"']))*"
    r"(?:(?:\n[ \t]*|\\+n)[A-Za-z0-9+/=]{1,64}(?=\n|\\|\Z|[\"']))*)"
)
PRIVATE_REMOVED = (
    rf"-----BEGIN \g<kind>PRIVATE KEY\g<block>-----{REMOVED}-----END \g<kind>PRIVATE KEY\g<block>-----"
)
END_OF_PRIVATE = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
KEY_LINE = re.compile(r"(?:^|\s)[A-Za-z0-9+/=]{16,}\s*$")
KEY_TAIL = re.compile(r"(?:[A-Za-z0-9+/=]|\\+n){16,}$")
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{8,}={0,2}(?![A-Za-z0-9+/_=-])")
# Only so long a run can hold a secret that its shape gives away.
LONG_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/_=-])")


def _whole(pattern: str, flags: int = 0) -> tuple[re.Pattern[str], str]:
    """Nothing of it stays."""
    return re.compile(pattern, flags), REMOVED


def _after(pattern: str, flags: int = 0) -> tuple[re.Pattern[str], str]:
    """What the first group matched stays."""
    return re.compile(pattern, flags), rf"\g<1>{REMOVED}"


_HEADER = r"(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,30}(?:token|key|secret|signature)|private-token|job-token"

SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # YAML: a secret as a block below its name; the indentation tells where it ends.
    (
        re.compile(
            rf"(^(?P<indent>[ \t]*)(?:- )?[\"']?[\w.-]{{0,60}}?(?:{NAME})[\"']?:[ \t]*[|>][-+0-9]{{0,2}}[ \t]*\n)"
            r"(?:(?P=indent)[ \t]+[^\n]*(?:\n|\Z)|[ \t]*\n)+",
            re.IGNORECASE | re.MULTILINE,
        ),
        rf"\g<1>\g<indent>  {REMOVED}\n",
    ),
    # k3s: K10<hash of the CA>::server:<password>, K10<hash>::<id>.<secret>, and the form without the hash.
    _whole(r"\bK10[0-9a-f]{8,}(?:::[^\s\"'\\`,;<>]+)?"),
    _whole(r"(?<![\w:.-])::?(?:server|node|k3s-agent):[0-9a-f]{16,}"),
    # A bootstrap token (kubernetes.io: [a-z0-9]{6}.[a-z0-9]{16}). Without any digit it would be a name; with the time
    # in nanoseconds behind the dot, in hexadecimal, it is the name of an event.
    _whole(
        r"(?<![\w.-])(?=[a-z.]{0,22}[0-9])[a-z0-9]{6}\.(?!1[6-9a-f][0-9a-f]{14}\b)[a-z0-9]{16}(?![\w-]|\.\w)"
    ),
    # Archipel's own token, id.secret.pin, alone or behind the `#` of a link: the id tells which one it was.
    _after(
        r"(?<![\w.-])([0-9a-hjkmnp-tv-z]{8}\.)(?=[a-z]{0,25}[0-9])[0-9a-hjkmnp-tv-z]{26}(?:\.[0-9a-hjkmnp-tv-z]{26})?"
        r"(?![\w-])",
        re.IGNORECASE,
    ),
    # A root key as text on paper: fourteen groups of five, or the rows in which they are printed.
    _whole(
        r"(?<![\w.-])(?=[a-z\s.,-]{0,80}[0-9])(?:[0-9a-hjkmnp-tv-z]{5}[\s.,-]{1,4}){13}[0-9a-hjkmnp-tv-z]{5}(?![\w-])",
        re.IGNORECASE,
    ),
    _after(r"(^[ \t]*\d{1,2}:)(?:[ \t]{2,4}[0-9a-hjkmnp-tv-z]{5}){2,4}[ \t]*$", re.IGNORECASE | re.MULTILINE),
    # The datastore prints what it could not write, and a Secret is plain in there (measured on 1.36 with SQLite locked).
    _after(r"(/registry/secrets/[^\n]{1,600}?value:\\*\")[^\n]+"),
    # k3s' server/cred/passwd, and the file of a node's password: 32 hexadecimal digits and nothing else.
    _whole(r"(?<![^\s\"'])[^,\s\"']+(?=,[\w.-]+,[\w.-]+,\\*\"?(?:k3s|system):)"),
    _whole(r"^[0-9a-f]{32}$", re.MULTILINE),
    # Headers, up to the end of the line or of the quoted text they stand in.
    _after(
        rf"(\b(?:{_HEADER})\\*[\"']?[ \t]*[:=][ \t]*+\[?+\\*+[\"']?)(?!removed)[^\n\"'\\\[]+", re.IGNORECASE
    ),
    _after(
        r"(\b(?:bearer|basic)[ \t]+)(?=[a-z._~+/-]{0,60}[0-9A-Z=])(?-i:(?![A-Z]?[a-z]+\b[^\d=]))"
        r"[A-Za-z0-9._~+/-]{8,}={0,2}",
        re.IGNORECASE,
    ),
    _whole(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,3}"),
    # The password in a URL; the user stays. In a path, `:` and `@` are a port and a digest.
    _after(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'?#]{0,100}:)[^\s/\"'<>]+(?=@)", re.IGNORECASE),
    _after(r"([?&;](?:sig|X-Amz-(?:Signature|Credential|Security-Token))=)[^&\s\"'\\]+", re.IGNORECASE),
    _after(r"(\bcurl\b[^\n]{0,200}? (?:-u|--user)[ =]?[\"']?[^\s:\"']+:)[^\s\"']+"),
    # crypt(5), htpasswd, argon2, and the hash k3s keeps of a node's password.
    _whole(r"\$(?:1|2[abxy]?|5|6|7|y|gy|md5|sha1|apr1|argon2(?:id|i|d)|scrypt)\$[A-Za-z0-9./$=,+_-]{8,}"),
    _whole(r"\$1:[0-9a-f]{8,}:\d+:\d+:\d+:[A-Za-z0-9+/=]{20,}"),
    _whole(r"\{S?SHA\d{0,3}\}[A-Za-z0-9+/]{20,}={0,2}"),
    # Tokens that their issuer marks.
    _whole(r"\b(?:AKIA|ASIA|AROA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    _whole(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    _whole(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[\w.-]{16,}"),
    _whole(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _after(r"(hooks\.slack\.com/services/)[A-Za-z0-9/_-]+"),
    _whole(r"\bAIza[\w-]{30,}"),
    _whole(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    _whole(r"\bsk-[A-Za-z0-9_-]{20,}"),
    _whole(r"\b(?:npm_|dckr_(?:pat|oat)_|hf_|hv[sbr]\.|dop_v1_|pypi-|tskey-|glsa_|shpat_)[\w-]{16,}"),
    _whole(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    _whole(r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    _whole(r"\b\d{8,10}:AA[\w-]{33}\b"),
    # A private JSON Web Key.
    _after(r"(\"(?:d|p|q|dp|dq|qi|k)\\*\"\s*:\s*\\*\")[\w-]{30,}"),
)

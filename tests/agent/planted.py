"""Secrets of every kind in the notation in which they turn up, for the tests of redaction and of the support bundle.

Each kind is a function from random bytes to (text as it stands somewhere, what must not survive of it).
"""

import base64
import hashlib
import json
import string
from collections.abc import Callable

from archipel_contract.names import ID_ALPHABET

Planted = tuple[str, tuple[str, ...]]
Kind = Callable[[bytes], Planted]

DIGITS_LOWER = string.digits + string.ascii_lowercase
ALNUM = string.ascii_letters + string.digits


def _spell(seed: bytes, alphabet: str, length: int, salt: str = "") -> str:
    """`length` letters out of the seed; the first is a digit where the alphabet has one, as no plain word has."""
    stream = b"".join(
        hashlib.sha256(seed + salt.encode() + bytes([n])).digest() for n in range(1 + length // 32)
    )
    text = "".join(alphabet[byte % len(alphabet)] for byte in stream[:length])
    first = next((letter for letter in alphabet if letter.isdigit()), text[0])
    return first + text[1:]


def _hex(seed: bytes, length: int, salt: str = "") -> str:
    return _spell(seed, "0123456789abcdef", length, salt)


def _b64(seed: bytes, count: int, salt: str = "") -> str:
    return base64.b64encode(_spell(seed, ALNUM, count, salt).encode()).decode()


def _one(form: str, spell: Callable[[bytes], str]) -> Kind:
    def plant(seed: bytes) -> Planted:
        secret = spell(seed)
        return form.replace("@@", secret), (secret,)

    return plant


def _password(seed: bytes) -> str:
    return _spell(seed, ALNUM + "!#%+.:?_~-", 20)


def _token(seed: bytes) -> str:
    return _spell(seed, ALNUM + "_-", 32)


def _pem(kind: str, joined: str = "\n") -> Kind:
    def plant(seed: bytes) -> Planted:
        body = [_spell(seed, ALNUM + "+/", 64, str(n)) for n in range(4)] + [
            _spell(seed, ALNUM + "+/", 22, "e") + "=="
        ]
        text = joined.join([f"-----BEGIN {kind}-----", *body, f"-----END {kind}-----"])
        return text, tuple(body)

    return plant


def _headless_pem(seed: bytes) -> Planted:
    text, body = _pem("EC PRIVATE KEY")(seed)
    return text.split("\n", 1)[1], body


def _endless_pem(seed: bytes) -> Planted:
    text, body = _pem("RSA PRIVATE KEY")(seed)
    return text.rsplit("\n", 2)[0], body[:-1]


def _docker(seed: bytes) -> Planted:
    secret = _password(seed)
    packed = base64.b64encode(f"robot:{secret}".encode()).decode()
    return json.dumps({"auths": {"registry.example": {"auth": packed}}}), (packed, secret)


def _basic(seed: bytes) -> Planted:
    packed = base64.b64encode(f"server:{_password(seed)}".encode()).decode()
    return f"Authorization: Basic {packed}", (packed,)


def _packed(seed: bytes) -> Planted:
    text, body = _pem("PRIVATE KEY")(seed)
    packed = base64.b64encode(text.encode()).decode()
    return f"data: {packed}", (packed, *body)


def _packed_token(seed: bytes) -> Planted:
    token = f"K10{_hex(seed, 64)}::server:{_hex(seed, 32, 'p')}"
    packed = base64.b64encode(token.encode()).decode()
    return f"value {packed} end", (packed, token)


def _jwt(seed: bytes) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":""}').decode().rstrip("=")
    return f"{head}.{_spell(seed, ALNUM, 60, 'b')}.{_spell(seed, ALNUM + '_-', 43, 's')}"


def _registries(seed: bytes) -> Planted:
    password, auth, identity = _password(seed), _b64(seed, 21), _spell(seed, ALNUM, 40, "i")
    text = (
        'configs:\n  "registry.example:5000":\n    auth:\n      username: robot\n'
        f"      password: {password}\n      auth: {auth}\n      identity_token: {identity}\n    tls:\n"
        "      key_file: /etc/ssl/private/registry.key\n"
    )
    return text, (password, auth, identity)


def _etcd_s3(seed: bytes) -> Planted:
    access, secret = (
        "AKIA" + _spell(seed, string.ascii_uppercase + string.digits, 16),
        _spell(seed, ALNUM + "/+", 40, "s"),
    )
    return f"etcd-s3-access-key: {access}\netcd-s3-secret-key: {secret}\netcd-s3-bucket: site\n", (
        access,
        secret,
    )


def _encryption(seed: bytes) -> Planted:
    key = _b64(seed, 32)
    names = [{"name": "aescbckey", "secret": key}]
    return json.dumps({"resources": [{"providers": [{"aescbc": {"keys": names}}]}]}), (key,)


def _environment_of_a_pod(seed: bytes) -> Planted:
    secret = _password(seed)
    return f"        - name: PGPASSWORD\n          PGPASSWORD: {secret}", (secret,)


def _block(seed: bytes) -> Planted:
    secret = _password(seed)
    return f"agent-token: |\n  {secret}\nnode-name: box", (secret,)


def _list_of_words(seed: bytes) -> Planted:
    secret = _token(seed).replace("-", "x")
    return f'["server","--token","{secret}","--node-name","box"]', (secret,)


def _listed_flag(seed: bytes) -> Planted:
    secret = _token(seed).replace("-", "x")
    return f"args:\n  - --agent-token\n  - {secret}\n  - --debug", (secret,)


def _nested_json(seed: bytes) -> Planted:
    secret = _password(seed)
    return json.dumps({"message": json.dumps({"clientSecret": secret, "user": "x"})}), (secret,)


def _enrolment(form: str) -> Kind:
    """The id and the pin of a token are no secrets."""

    def plant(seed: bytes) -> Planted:
        secret, known = _spell(seed, ID_ALPHABET, 26), _spell(seed, ID_ALPHABET, 26, "pin")
        return form.replace("@@", f"{_spell(seed, ID_ALPHABET, 8, 'id')}.{secret}.{known}"), (secret,)

    return plant


def _recovery(seed: bytes, row: str = "  ", end: str = "\n", labels: bool = True) -> Planted:
    """A root key on paper: fourteen groups of five."""
    groups = [_spell(seed, ID_ALPHABET, 5, str(number)) for number in range(14)]
    rows = [row.join(groups[at : at + 4]) for at in range(0, 14, 4)]
    shown = [f"{number}:  {text}" if labels else text for number, text in enumerate(rows, 1)]
    return "Archipel root key k-7k2m9qxf04hvd1et\n\n" + end.join(shown), tuple(rows)


def _capitals(kind: Kind) -> Kind:
    def plant(seed: bytes) -> Planted:
        text, secrets = kind(seed)
        return text.upper(), tuple(one.upper() for one in secrets)

    return plant


KINDS: dict[str, Kind] = {
    "enrolment token": _enrolment("enrol with @@ today"),
    "enrolment token in capitals": _capitals(_enrolment("enrol @@")),
    "enrolment link": _enrolment("scanned https://fleet.example:8471/#@@"),
    "enrolment link in JSON": _enrolment('{"link": "https://[2001:db8::1]:8471/#@@", "valid": 1}'),
    "enrolment token as a flag": _enrolment("archipel enrol --token @@ --name box"),
    "enrolment token in an error": _enrolment("error: the token '@@' is of another fleet"),
    "private key, encrypted": _pem("ENCRYPTED PRIVATE KEY"),
    "private key, EC": _pem("EC PRIVATE KEY"),
    "pin in a URI": _one(
        "pkcs11:token=root;object=fleet?pin-value=@@", lambda s: _spell(s, string.digits, 8)
    ),
    "pin as a flag": _one("softhsm2-util --login --pin @@ --so-pin 0", lambda s: _spell(s, ALNUM, 12)),
    "pin of the officer": _one("so-pin: @@", lambda s: _spell(s, string.digits, 8)),
    "pin in the environment": _one("ARCHIPEL_ROOT_PIN=@@", lambda s: _spell(s, string.digits, 8)),
    "passphrase asked for": _one("passphrase: @@", lambda s: _spell(s, ALNUM + " ", 24)),
    "recovery text": _recovery,
    "recovery text, typed": lambda seed: _recovery(seed, " ", " ", labels=False),
    "recovery text with dashes": lambda seed: _recovery(seed, "-", "-", labels=False),
    "recovery words": _one("recovery-words: @@", lambda s: _spell(s, ALNUM + " ", 60)),
    "proxy password": _one("https_proxy=http://plant:@@@proxy.example:3128", lambda s: _spell(s, ALNUM, 20)),
    "proxy password in JSON": _one(
        '{"proxy": "http://plant:@@@192.0.2.9:3128/"}', lambda s: _spell(s, ALNUM, 20)
    ),
    "broker password": _one("wss://n-box:@@@fleet.example:443/mqtt", lambda s: _spell(s, ALNUM, 20)),
    "proxy header": _one("Proxy-Authorization: Basic @@", lambda s: _b64(s, 21)),
    "k3s token": _one("token @@ used", lambda s: f"K10{_hex(s, 64)}::server:{_hex(s, 32, 'p')}"),
    "k3s bootstrap token with hash": _one(
        "join @@", lambda s: f"K10{_hex(s, 64)}::{_hex(s, 6, 'i')}.{_hex(s, 16, 'p')}"
    ),
    "bootstrap token": _one(
        "id @@ expires", lambda s: f"{_spell(s, DIGITS_LOWER, 6)}.{_spell(s, DIGITS_LOWER, 16, 'x')}"
    ),
    "token in config.yaml": _one('token: "@@"', _token),
    "token in config.yaml, bare": _one("agent-token: @@", _password),
    "token as a block": _block,
    "token as a flag": _one("k3s server --token @@ --debug", lambda s: _token(s).replace("-", "x")),
    "token as a flag with =": _one("k3s agent --token=@@ --debug", _token),
    "token in a list of words": _list_of_words,
    "token in a list of lines": _listed_flag,
    "K3S_TOKEN": _one("K3S_TOKEN=@@", _password),
    "K3S_TOKEN exported": _one("export K3S_TOKEN='@@'", _password),
    "K3S_TOKEN in a unit": _one('Environment="K3S_TOKEN=@@"', _password),
    "private key": _pem("PRIVATE KEY"),
    "private key, RSA, in JSON": _pem("RSA PRIVATE KEY", "\\n"),
    "private key, EC, in JSON in JSON": _pem("EC PRIVATE KEY", "\\\\n"),
    "ssh private key": _pem("OPENSSH PRIVATE KEY"),
    "pgp private key": _pem("PGP PRIVATE KEY BLOCK"),
    "private key without its beginning": _headless_pem,
    "private key without its end": _endless_pem,
    "private key in base64": _packed,
    "k3s token in base64": _packed_token,
    "kubeconfig key": _one("    client-key-data: @@", lambda s: _b64(s, 90)),
    "kubeconfig certificate": _one("    client-certificate-data: @@", lambda s: _b64(s, 90)),
    "kubeconfig token": _one("- name: admin\n  user:\n    token: @@", _token),
    "jwt": _one("identity @@ was refused", _jwt),
    "bearer": _one("Authorization: Bearer @@", _token),
    "bearer in a curl line": _one("curl -H 'Authorization: Bearer @@' https://127.0.0.1:6443", _token),
    "bearer alone": _one("sent bearer @@ to the API", _token),
    "basic": _basic,
    "password in a URL": _one(
        "https://robot:@@@registry.example:5000/v2/", lambda s: _spell(s, ALNUM + "!+._~-", 20)
    ),
    "password of a datastore": _one(
        "postgres://k3s:@@@db.example:5432/kine", lambda s: _spell(s, ALNUM + "!+._~-", 20)
    ),
    "password of mysql": _one("mysql://k3s:@@@tcp(db.example:3306)/kine", lambda s: _spell(s, ALNUM, 20)),
    "password in YAML": _one("db:\n  password: @@\n  user: x", _password),
    "password in YAML, quoted": _one("  password: '@@'", lambda s: _spell(s, ALNUM + " !&,{}", 20)),
    "password in flow YAML": _one("{user: x, password: @@, host: y}", lambda s: _spell(s, ALNUM, 20)),
    "password in JSON": _one('{"password": "@@", "user": "x"}', lambda s: _spell(s, ALNUM + " !&,{}", 20)),
    "secret in JSON in JSON": _nested_json,
    "passphrase in TOML": _one('passphrase = "@@"', _password),
    "password in the environment": _one("DB_PASSWORD=@@", _password),
    "password in a pod": _environment_of_a_pod,
    "password as a flag": _one("mirror --password @@ --quiet", lambda s: _spell(s, ALNUM, 20)),
    "password in a sentence": _one("the operator wrote password: @@ and left", _password),
    "password in logfmt": _one(
        'time="2026-01-01T00:00:00Z" level=info password=@@ msg="login"', lambda s: _spell(s, ALNUM, 20)
    ),
    "curl user": _one("curl --user admin:@@ https://example", lambda s: _spell(s, ALNUM, 20)),
    "api key": _one("api_key: @@", _token),
    "api key header": _one("X-API-Key: @@", _token),
    "aws access key": _one(
        "found @@ in use", lambda s: "AKIA" + _spell(s, string.ascii_uppercase + string.digits, 16)
    ),
    "aws secret": _one("aws_secret_access_key = @@", lambda s: _spell(s, ALNUM + "/+", 40)),
    "aws secret in the environment": _one("AWS_SECRET_ACCESS_KEY=@@", lambda s: _spell(s, ALNUM + "/+", 40)),
    "presigned URL": _one(
        "https://s3.example/b?X-Amz-Expires=60&X-Amz-Signature=@@&x=1", lambda s: _hex(s, 64)
    ),
    "etcd s3": _etcd_s3,
    "registries.yaml": _registries,
    "docker config": _docker,
    "docker identity token": _one('{"identitytoken": "@@"}', _token),
    "encryption key": _encryption,
    "wireguard key": _one("[Interface]\nPrivateKey = @@\nListenPort = 51820", lambda s: _b64(s, 32)),
    "wireguard preshared key": _one("PresharedKey = @@", lambda s: _b64(s, 32)),
    "wifi psk": _one("network={\n  ssid=plant\n  psk=@@\n}", lambda s: _hex(s, 64)),
    "wifi passphrase": _one('wpa_passphrase="@@"', lambda s: _spell(s, ALNUM + " ", 20)),
    "vpn join key": _one(
        "vpn-auth: name=tailscale,joinKey=@@,controlServerURL=https://x", lambda s: "tskey-auth-" + _token(s)
    ),
    "shadow": _one(
        "root:@@:19700:0:99999:7:::", lambda s: f"$y$j9T${_spell(s, ALNUM, 22)}${_spell(s, ALNUM, 43, 'h')}"
    ),
    "shadow, sha512": _one(
        "pi:@@:19700:0:99999:7:::", lambda s: f"$6${_spell(s, ALNUM, 8)}${_spell(s, ALNUM + './', 86, 'h')}"
    ),
    "htpasswd": _one("admin:@@", lambda s: f"$apr1${_spell(s, ALNUM, 8)}${_spell(s, ALNUM, 22, 'h')}"),
    "htpasswd, bcrypt": _one("admin:@@", lambda s: f"$2y$10${_spell(s, ALNUM, 53)}"),
    "hash of a node password": _one('"hash": "@@"', lambda s: f"$1:{_hex(s, 16)}:15:8:1:{_b64(s, 64)}"),
    "node password file": _one("@@", lambda s: _hex(s, 32)),
    "k3s passwd file": _one("@@,server,server,k3s:server", lambda s: _hex(s, 32)),
    "cookie": _one("Cookie: session=@@; theme=dark", _token),
    "set-cookie": _one("Set-Cookie: sid=@@; HttpOnly", _token),
    "github": _one("remote said @@ is old", lambda s: "ghp_" + _spell(s, ALNUM, 36)),
    "gitlab": _one("remote said @@ is old", lambda s: "glpat-" + _spell(s, ALNUM, 20)),
    "gitlab header": _one("PRIVATE-TOKEN: @@", _token),
    "slack": _one("posting with @@ now", lambda s: "xoxb-" + _spell(s, string.digits, 24)),
    "google": _one("maps key @@ used", lambda s: "AIza" + _spell(s, ALNUM, 35)),
    "age": _one(
        "identity @@ used",
        lambda s: "AGE-SECRET-KEY-1" + _spell(s, string.digits + string.ascii_uppercase, 58),
    ),
    "secret the datastore prints": _one(
        r'txn put:<key:\"/registry/secrets/shop/db\" value:\"k8s\\000v1Secret\\n\\010password\\022@@\" > >"',
        lambda s: _spell(s, ALNUM, 20),
    ),
}

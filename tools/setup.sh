#!/bin/sh
# Makes this checkout ready to run: system packages, uv, and the Python environment in .venv.
#
# Called by `make setup`, and by every other target that needs the environment. Safe to repeat: it does only what is missing.
# As root on a Debian-like system it installs missing packages and names them. Otherwise it prints the one line that
# would, and goes on: what needs those packages is skipped later, and the skips are counted.
# It touches nothing outside this directory but those packages. With SETUP_FOR=tests it also installs what only tests and
# benchmarks need: a browser, a second broker, a second database. Those do not start as services of this machine.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

# package | how to see that it is there | what it is for
packages() {
    cat <<'LIST'
python3|command -v python3|runs everything
python3-venv|python3 -c "import ensurepip"|makes the small environment uv is installed into
ca-certificates|test -s /etc/ssl/certs/ca-certificates.crt|downloads over https
procps|command -v ps|looks at processes inside a test host
util-linux|command -v unshare|test hosts in plain namespaces: unshare, nsenter, losetup
iproute2|command -v ip|gives a test host its own network
iptables|command -v iptables|k3s writes its service rules with it
nftables|command -v nft|the firewall of a host is tried in real network namespaces
kmod|command -v modprobe|k3s loads overlay and br_netfilter
e2fsprogs|command -v mkfs.ext4|gives a test host a disk of its own
tmux|command -v tmux|shows the terminal UI in a real terminal
mmdebstrap|command -v mmdebstrap|makes the root file system of a booted test host
systemd-container|command -v systemd-nspawn|boots that host under systemd
LIST
    [ "${SETUP_FOR:-}" = tests ] || return 0
    cat <<'LIST'
chromium|command -v chromium|looks at the web pages as people do
chromium-driver|command -v chromedriver|drives that browser
mosquitto|command -v mosquitto|the other broker: what holds for the embedded one is shown for this one too
mosquitto-clients|command -v mosquitto_sub|a client that knows nothing but the protocol's page
minisign|command -v minisign|the stock program with which anybody can check a bundle, and which must agree with us
softhsm2|command -v softhsm2-util|a token in software: keys of the fleet need not lie in a file
tinyproxy|command -v tinyproxy|a proxy as plants have it, through which a link must find its way
age|command -v age|opens a backup with nothing of ours
fusefat|command -v fusefat|serves a real FAT to the tests of sticks: kernels of machines that run tests have no driver for it
exfat-fuse|command -v mount.exfat-fuse|and a real exFAT
dosfstools|command -v mkfs.vfat|formats those sticks, and says whether they are still whole
exfatprogs|command -v mkfs.exfat|the same for exFAT
mtools|command -v mcopy|writes and reads a stick as another machine would, without that driver
openssh-server|ls /usr/sbin/sshd|a real SFTP server for backups
nut-server|ls /lib/nut/dummy-ups|the real server of UPSs, with a driver that plays one
curl|command -v curl|speaks S3 for backups, and asks the API as a person would
openssl|command -v openssl|says of our certificates what everybody else would
postgresql|ls /usr/lib/postgresql/*/bin/postgres|the other database: one suite holds both to the same
LIST
}

PATH="$PATH:/usr/sbin:/sbin"
missing=""
install_packages() {
    reasons=$(packages | while IFS='|' read -r name probe why; do
        sh -c "$probe" >/dev/null 2>&1 || printf '%s|%s\n' "$name" "$why"
    done)
    [ -n "$reasons" ] || return 0
    missing=$(printf '%s\n' "$reasons" | cut -d'|' -f1 | tr '\n' ' ' | sed 's/ $//')
    say "these system packages are missing:"
    printf '%s\n' "$reasons" | while IFS='|' read -r name why; do printf '    %-20s %s\n' "$name" "$why" >&2; done
    if ! command -v apt-get >/dev/null 2>&1; then
        say "this is not a Debian-like system: install them with its own package manager. Going on without."
    elif [ "$(id -u)" -ne 0 ]; then
        say "not root, so going on without. This line would install them:"
        printf '    sudo apt-get install --yes --no-install-recommends %s\n' "$missing" >&2
    else
        apt_install
    fi
}

apt_install() {
    say "installing: $missing"
    export DEBIAN_FRONTEND=noninteractive
    stay_quiet
    # shellcheck disable=SC2086  # the list is words on purpose
    if apt-get update --quiet=2 >&2 </dev/null && apt_get $missing; then
        missing=""
    else
        # One that this system does not have must not keep the others away.
        for name in $missing; do apt_get "$name" || say "apt-get could not install $name (its reason is above). Going on without."; done
    fi
    [ -z "$quiet" ] || rm -f "$quiet"
}

apt_get() {
    apt-get install --quiet=2 --yes --no-install-recommends "$@" >&2 </dev/null
}

# Tests start brokers and databases of their own. Debian starts a package's services when it installs them, unless this
# file says no (policy-rc.d of invoke-rc.d(8)); where there is one already, it stands.
quiet=""
stay_quiet() {
    if [ "${SETUP_FOR:-}" = tests ] && [ ! -e /usr/sbin/policy-rc.d ]; then
        quiet=/usr/sbin/policy-rc.d
        trap 'rm -f "$quiet"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$quiet"
        chmod 755 "$quiet"
    fi
}

# uv makes the environment from uv.lock. One on PATH is used; else one is put into .tools, from the package index.
uv_is_new_enough() {
    "$1" --version 2>/dev/null | awk '{ split($2, v, "."); exit !(v[1] > 0 || v[2] >= 8) }'
}

find_uv() {
    for candidate in "${UV:-uv}" .tools/uv/bin/uv; do
        if command -v "$candidate" >/dev/null 2>&1 && uv_is_new_enough "$candidate"; then
            uv=$candidate
            return 0
        fi
    done
    if ! command -v python3 >/dev/null 2>&1; then
        say "python3 is missing. Python 3.11 or newer is needed."
        exit 1
    fi
    say "uv is not here; installing it into .tools/uv"
    if ! python3 -m venv --clear .tools/uv >&2; then
        rm -rf .tools/uv
        say "python3 cannot make environments. Install python3-venv, or uv by any way you like, and run this again."
        exit 1
    fi
    if ! .tools/uv/bin/python -m pip install --quiet --retries 1 --disable-pip-version-check 'uv>=0.8' >&2 </dev/null; then
        rm -rf .tools/uv
        no_index
    fi
    uv=.tools/uv/bin/uv
}

no_index() {
    say "the Python packages could not be fetched (the reason is above)."
    say "The package index (https://pypi.org, or the mirror pip and uv are set to) must be reachable once; later runs use the"
    say "environment already made. Behind a proxy set HTTPS_PROXY; with a mirror set PIP_INDEX_URL and UV_DEFAULT_INDEX."
    exit 1
}

make_environment() {
    state=$(cat pyproject.toml uv.lock tools/setup.sh | cksum)
    if [ -x .venv/bin/python ] && [ "$(cat .venv/.made-from 2>/dev/null)" = "$state" ]; then
        return 0
    fi
    find_uv
    say "making .venv from uv.lock"
    "$uv" sync --quiet --locked --all-extras >&2 </dev/null || no_index
    printf '%s' "$state" >.venv/.made-from
}

install_packages
make_environment

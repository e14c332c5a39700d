#!/bin/sh
# Installs the Archipel agent on this machine, or replaces it by another version. Safe to repeat, and to cut off anywhere.
#
# Needs root, Python 3.11 or newer, and a 64-bit Debian 12/13, Raspberry Pi OS, or Ubuntu 24.04 or newer. It changes:
#   /opt/archipel/versions/VERSION   the program, a Python environment of its own
#   /opt/archipel/current            link to the version in use, switched in one step
#   /usr/local/bin/archipel          link to the command
#   /etc/systemd/system/archipel-agent.service, /usr/lib/sysusers.d/archipel.conf, /usr/lib/tmpfiles.d/archipel.conf
#   /usr/lib/udev/rules.d/90-archipel-sticks.rules, /usr/lib/systemd/system/archipel-stick@.service, /usr/lib/archipel/stick
#   the groups archipel and archipel-technician
# and, only where it is missing, installs the package python3-venv. It does not touch k3s. `docs/install.md` tells more.
set -eu
umask 022

REFUSED=3 # nothing was changed
FAILED=4  # what was there before is in use again
NEEDED_MB=250
MARK=.complete
UNIT=archipel-agent.service
# What mounts sticks: the names in a version, and their places. Versions before it had none.
STICKS="stick.sh usr/lib/archipel/stick
archipel-stick@.service usr/lib/systemd/system/archipel-stick@.service
90-archipel-sticks.rules usr/lib/udev/rules.d/90-archipel-sticks.rules"

say() { printf 'archipel-install: %s\n' "$*"; }
complain() { printf 'archipel-install: %s\n' "$*" >&2; }
refuse() {
    complain "$1"
    [ -z "${2:-}" ] || printf '    %s\n' "$2" >&2
    exit $REFUSED
}

usage() {
    cat <<'TEXT'
usage: sh install.sh [OPTION...]

Installs the Archipel agent, or replaces it by another version. Run it as root.

  --wheels DIR   take all packages from DIR and nothing from the network
  --version V    install version V; the newest otherwise
  --no-start     install, but leave the agent as it is now until the next boot
  --remove       take the agent off this machine again, if it was never used to set up a site
  --root DIR     put everything below DIR and start nothing; for tests
  --help         this text

Without --wheels the packages that lie beside this script are preferred; what is not there comes from the package index.
Exit codes: 0 done, 2 wrong option, 3 refused and nothing changed, 4 failed and the version before is in use again.
TEXT
}

wrong() {
    complain "$1"
    usage >&2
    exit 2
}

# --- what this machine offers ---------------------------------------------------------------------------------------------
check_rights() {
    if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
        refuse "this needs root. Run:" "sudo sh $0$words"
    fi
}

check_machine() {
    case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) refuse "this machine is $(uname -m); Archipel runs on x86_64 and aarch64 (64-bit)." ;;
    esac
}

check_room() {
    place="$root/opt"
    while [ ! -d "$place" ]; do place=$(dirname "$place"); done
    free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge $NEEDED_MB ] ||
        refuse "only $free MB are free in $place, $NEEDED_MB MB are needed. Free some and run this again."
}

fits() { "$1" -c 'import sys; sys.exit(not (sys.version_info >= (3, 11) and sys.maxsize > 2**32))' 2>/dev/null; }

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null 2>&1 && fits "$python"; then
            python=$(command -v "$python")
            return 0
        fi
    done
    if command -v python3 >/dev/null 2>&1; then
        refuse "Python 3.11 or newer (64-bit) is needed; here is $(python3 -V 2>&1)." \
            "Debian 12, Raspberry Pi OS 12 and Ubuntu 24.04, or newer, have it; on a 32-bit system install the 64-bit one."
    fi
    get_package python3
    fits python3 || refuse "the python3 of this system is older than 3.11, or 32-bit."
    python=$(command -v python3)
}

find_venv() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    get_package python3-venv
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        refuse "$python cannot make environments although python3-venv is installed."
}

get_package() {
    line="apt-get install --yes --no-install-recommends $1"
    command -v apt-get >/dev/null 2>&1 || refuse "the package $1 is missing; install it with this system's package manager."
    [ -z "$root" ] || refuse "the package $1 is missing:" "sudo $line"
    say "the package $1 is missing; installing it"
    quick="-o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15"
    # shellcheck disable=SC2086  # options are words on purpose
    if ! DEBIAN_FRONTEND=noninteractive $line $quick </dev/null >"$scratch/apt" 2>&1; then
        apt-get update $quick </dev/null >>"$scratch/apt" 2>&1 || true
        DEBIAN_FRONTEND=noninteractive $line $quick </dev/null >>"$scratch/apt" 2>&1 || {
            tail -n 3 "$scratch/apt" >&2
            refuse "$1 could not be installed (reason above). Once the machine has its packages in reach:" "sudo $line"
        }
    fi
}

# --- the packages ---------------------------------------------------------------------------------------------------------
newest_wheel() { find "$1" -maxdepth 1 -name "archipel-${2:-*}-*.whl" 2>/dev/null | sort -V | tail -n 1; }

# Sets: wheel (file), version, from (pip's options for where to look).
find_wheel() {
    if [ -n "$wheels" ]; then
        [ -d "$wheels" ] || refuse "there is no directory $wheels."
        wheel=$(newest_wheel "$wheels" "$version")
        [ -n "$wheel" ] || refuse "$wheels holds no archipel-${version:-VERSION}-*.whl."
        set -- --no-index
    else
        wheels=$(cd "$(dirname "$0")" && pwd)
        wheel=$(newest_wheel "$wheels" "$version")
        if [ -z "$wheel" ]; then
            say "fetching archipel ${version:-(newest)} from the package index"
            if ! { "$python" -m venv "$scratch/pip" &&
                "$scratch/pip/bin/pip" download --quiet --disable-pip-version-check --no-input --no-deps \
                    --dest "$scratch" "archipel${version:+==$version}"; } >"$scratch/log" 2>&1; then
                tail -n 3 "$scratch/log" >&2
                refuse "archipel could not be fetched (reason above). Without a network: --wheels DIR."
            fi
            wheel=$(newest_wheel "$scratch" "$version")
        fi
        set --
    fi
    wheels=$(cd "$wheels" && pwd)
    wheel=$(cd "$(dirname "$wheel")" && pwd)/$(basename "$wheel")
    from="${1:-}"
    version=$(basename "$wheel" | cut -d- -f2)
    digest=$(sha256sum "$wheel" | cut -d' ' -f1)
}

# --- putting it in place --------------------------------------------------------------------------------------------------
# Sets: target. The same version with other content gets a directory beside, as the one in use must not change.
choose_target() {
    target="$versions/$version" number=1
    while [ -e "$target/$MARK" ] && [ "$(cat "$target/$MARK")" != "$digest" ]; do
        target="$versions/$version.$number" number=$((number + 1))
    done
}

build() {
    if [ -e "$target/$MARK" ] && "$target/bin/archipel" --version >/dev/null 2>&1; then
        say "version $version is there already"
        return 0
    fi
    say "installing version $version into $target"
    rm -rf "$target"
    unfinished=$target
    # shellcheck disable=SC2086  # $from is an option or nothing
    if ! { "$python" -m venv "$target" &&
        "$target/bin/pip" install --quiet --disable-pip-version-check --no-input --no-cache-dir $from \
            --find-links "$wheels" "${wheel}[agent,tui]" &&
        "$target/bin/archipel" --version; } >"$scratch/log" 2>&1; then
        tail -n 5 "$scratch/log" >&2
        fail "the packages could not be installed (reason above)."
    fi
    # The mark comes last and after everything is on the disk: a directory without it is never used.
    sync
    printf '%s\n' "$digest" >"$target/$MARK"
    sync
    unfinished=""
}

# data VERSION-DIRECTORY: where that version keeps its unit and the like.
data() { find "$1"/lib/python3*/site-packages/archipel_agent/systemd -maxdepth 0 2>/dev/null | head -n 1; }

put() {
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.archipel-new"
    chmod 644 "$2.archipel-new"
    mv -f "$2.archipel-new" "$2"
}

point() {
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2.archipel-new"
    mv -fT "$2.archipel-new" "$2"
}

use() {
    source=$(data "$1")
    [ -n "$source" ] || fail "$1 holds no unit files."
    put "$source/archipel.sysusers.conf" "$root/usr/lib/sysusers.d/archipel.conf"
    put "$source/archipel.tmpfiles.conf" "$root/usr/lib/tmpfiles.d/archipel.conf"
    put_sticks
    put "$source/$UNIT" "$root/etc/systemd/system/$UNIT"
    point "versions/$(basename "$1")" "$home/current"
    point "/opt/archipel/current/bin/archipel" "$root/usr/local/bin/archipel"
    point "../$UNIT" "$root/etc/systemd/system/multi-user.target.wants/$UNIT"
    sync
    [ -n "$root" ] || make_groups
}

put_sticks() {
    while read -r name place; do
        if [ -e "$source/$name" ]; then
            put "$source/$name" "$root/$place"
        else
            rm -f "$root/$place"
        fi
    done <<TEXT
$STICKS
TEXT
}

# Those that are in already as well. A machine without udev has no sticks.
see_sticks() {
    command -v udevadm >/dev/null 2>&1 || return 0
    udevadm control --reload || true
    udevadm trigger --action=change --subsystem-match=block || true
}

make_groups() {
    if command -v systemd-sysusers >/dev/null 2>&1; then
        systemd-sysusers /usr/lib/sysusers.d/archipel.conf
    else
        for group in archipel archipel-technician; do
            getent group $group >/dev/null || groupadd --system $group
        done
    fi
}

runs_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

start() {
    systemctl daemon-reload
    systemctl reset-failed $UNIT 2>/dev/null || true
    timeout 90 systemctl restart $UNIT
}

fail() {
    complain "$1"
    [ -z "$unfinished" ] || rm -rf "$unfinished"
    unfinished=""
    if [ -n "$previous" ]; then
        complain "version $(basename "$previous") stays in use"
    fi
    exit $FAILED
}

go_back() {
    complain "the agent does not start with version $version:"
    journalctl -u $UNIT -n 15 -o cat --no-pager >&2 2>/dev/null || true
    if [ -n "$previous" ] && [ "$previous" != "$target" ]; then
        use "$previous"
        start || complain "version $(basename "$previous") does not start either: journalctl -u $UNIT"
    else
        systemctl stop $UNIT || true
    fi
    fail "installing version $version failed."
}

# The version before stays as a way back; older ones go.
sweep() {
    for old in "$versions"/*; do
        [ "$old" = "$target" ] || [ "$old" = "$previous" ] || rm -rf "$old"
    done
}

install() {
    check_rights
    check_machine
    link="$root/usr/local/bin/archipel"
    if [ -e "$link" ] && [ ! -L "$link" ]; then
        refuse "$link is a file of somebody else; move it away first."
    fi
    check_room
    find_python
    find_venv
    find_wheel
    mkdir -p "$versions"
    # One at a time; the lock is gone with this process.
    exec 9>"$home/.lock"
    flock -n 9 || refuse "another installation is running."
    previous=$(readlink -f "$home/current" 2>/dev/null || true)
    [ -e "$previous/$MARK" ] || previous=""
    choose_target
    build
    use "$target"
    if runs_systemd && [ "$starting" = yes ]; then
        start || go_back
    elif runs_systemd; then
        systemctl daemon-reload
    fi
    if runs_systemd; then see_sticks; fi
    sweep
    say "version $version is installed"
    next_step
}

next_step() {
    if grep -qs 'Written by Archipel' "$root/etc/rancher/k3s/config.yaml"; then
        say "this machine is a site; see how it does:  sudo archipel status"
    elif runs_systemd; then
        say "next, make this machine a site:  sudo archipel up"
    else
        say "systemd does not run here; next:  sudo archipel agent run &  sudo archipel up"
    fi
}

# --- taking it away -------------------------------------------------------------------------------------------------------
remove() {
    check_rights
    if grep -qs 'Written by Archipel' "$root/etc/rancher/k3s/config.yaml"; then
        refuse "this machine is a site. What to remove is a choice; it is shown, and nothing done, by:" "sudo archipel remove"
    fi
    if runs_systemd; then
        systemctl disable --now $UNIT >/dev/null 2>&1 || true
        systemctl stop 'archipel-stick@*.service' || true
    fi
    rm -f "$root/etc/systemd/system/multi-user.target.wants/$UNIT" "$root/etc/systemd/system/$UNIT" \
        "$root/usr/lib/sysusers.d/archipel.conf" "$root/usr/lib/tmpfiles.d/archipel.conf" \
        "$root/usr/lib/systemd/system/archipel-stick@.service" "$root/usr/lib/udev/rules.d/90-archipel-sticks.rules"
    rm -rf "$root/usr/lib/archipel" "$root/run/archipel-sticks"
    [ ! -L "$root/usr/local/bin/archipel" ] || rm -f "$root/usr/local/bin/archipel"
    # The unit makes these two for k3s; what somebody put there stays.
    rmdir "$root/etc/rancher" "$root/var/lib/rancher" 2>/dev/null || true
    rm -rf "$root/opt/archipel" "$root/var/lib/archipel" "$root/etc/archipel" "$root/run/archipel"
    if [ -z "$root" ]; then
        for group in archipel-technician archipel; do
            if getent group $group >/dev/null 2>&1; then groupdel $group; fi
        done
    fi
    if runs_systemd; then
        systemctl daemon-reload
        systemctl reset-failed $UNIT 2>/dev/null || true
    fi
    say "the agent is removed; the package python3-venv stays if it was installed for it"
}

finish() {
    code=$?
    trap - EXIT
    [ -z "$unfinished" ] || rm -rf "$unfinished"
    rm -rf "$scratch"
    exit $code
}

words="" wheels="" version="" root="" starting=yes action=install unfinished="" previous=""
for word in "$@"; do words="$words $word"; done
while [ $# -gt 0 ]; do
    case "$1" in
    --wheels | --version | --root)
        if [ $# -lt 2 ] || [ -z "$2" ]; then wrong "$1 needs a value."; fi
        case "$1" in
        --wheels) wheels=$2 ;;
        --version) version=${2#v} ;;
        --root) root=${2%/} ;;
        esac
        shift
        ;;
    --no-start) starting=no ;;
    --remove) action=remove ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) wrong "there is no option $1." ;;
    esac
    shift
done
home="$root/opt/archipel"
versions="$home/versions"
scratch=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT TERM HUP
$action

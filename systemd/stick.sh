#!/bin/sh
# Mounts a stick or card below /media/archipel, or unmounts it. Run by archipel-stick@.service as `stick mount|unmount NAME`,
# NAME as the kernel calls it (sda1). It never formats, checks or repairs, and runs nothing that lies on a stick.
#
# /media/archipel is for root alone: an answer file holds a token, and neither FAT nor somebody else's ext4 says who may read.
set -eu

PLACE=/media/archipel
RECORDS=/run/archipel-sticks # one file for each stick that is in: where it is mounted
DESKTOP=/etc/systemd/system/display-manager.service

say() { printf '%s: %s\n' "$name" "$*"; }
leave() {
    say "left alone: $*"
    exit 0
}

# What fstab, mount units and the kernel's command line name: devices, as far as they are here, and other words.
own() {
    findmnt --fstab --evaluate --noheadings --raw --output SOURCE || true
    # But for our own mounts: those of other partitions of the same stick.
    systemctl show --property=Where,What '*.mount' 2>/dev/null | awk -v RS= -v ours="Where=$PLACE/" '
        index($0, ours) == 0 { for (i = 1; i <= NF; i++) if (sub(/^What=/, "", $i)) print $i }'
    # Behind an overlay it is mounted where nobody sees it.
    root=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^root=//p' | tail -n 1)
    case "$root" in '') ;; *) findfs "$root" 2>/dev/null || true ;; esac
}

# Whether the disk (all of it, not only this partition) is in use or meant for something.
is_taken() {
    whole=$(lsblk --noheadings --nodeps --paths --output PKNAME "$device")
    parts=$(lsblk --noheadings --list --paths --output NAME "${whole:-$device}")
    # Mounted, swapped to, or below another device; other partitions of the same stick may be mounted by us.
    lsblk --noheadings --list --output MOUNTPOINTS "${whole:-$device}" |
        grep -v -e "^$PLACE/" -e '^ *$' | grep -q . && return 0
    findmnt --noheadings --source "$device" >/dev/null && return 0
    # Named by a label that another device has, too, it may be meant as well.
    blkid -p -o export "$device" | sed -n 's/^PART_ENTRY_UUID=/PARTUUID=/p; /^LABEL=/p; /^UUID=/p' >"$RECORDS/.$name"
    named=$(findmnt --fstab --noheadings --raw --output SOURCE | grep -xFf "$RECORDS/.$name" || true)
    rm -f "$RECORDS/.$name"
    [ -z "$named" ] || return 0
    for one in $(own); do
        one=$(readlink -f "$one") || continue
        printf '%s\n' "$parts" | grep -qxF "$one" && return 0
    done
    return 1
}

# Sets point: named after the stick's label, because that stays the same whatever it is plugged into.
choose_point() {
    label=$(blkid -p -s LABEL -o value "$device" 2>/dev/null | tr -c 'A-Za-z0-9._\n-' _ | head -n 1 | cut -c -40)
    case "$label" in
    '' | .*) label=$name ;;
    esac
    point=$PLACE/$label
    ! is_given "$point" || point=$PLACE/$label-$name
}
is_given() { mountpoint -q "$1" || cat "$RECORDS"/* 2>/dev/null | grep -qxF "$1"; }

# Two sticks with one label do not get one place. Held for a moment only: a stick that hangs does not hold up others.
lock() {
    exec 9>"$RECORDS/.lock"
    flock 9
}
unlock() { exec 9>&-; }

take_point() {
    lock
    mkdir -p "$PLACE"
    chmod 0700 "$PLACE"
    for old in "$PLACE"/*/; do # left from a power cut
        is_given "${old%/}" || rmdir "$old" 2>/dev/null || true
    done
    choose_point
    mkdir -p "$point"
    printf '%s\n' "$point" >"$RECORDS/$name"
    unlock
}

# An empty directory could be taken for the stick.
give_back_point() {
    lock
    rm -f "$RECORDS/$name"
    rmdir "$point" "$PLACE" 2>/dev/null || true
    unlock
}

mount_it() {
    if [ -e "$DESKTOP" ] && [ "$(systemctl get-default)" = graphical.target ]; then
        leave "this machine has a desktop, which mounts sticks"
    fi
    mkdir -p "$RECORDS"
    is_taken && leave "its disk is one of this machine's own, or in use"
    kind=$(blkid -p -s TYPE -o value "$device" || true) # none where it could be two at once
    # No programs, devices or set-uid files count from a stick.
    options=nosuid,nodev,noexec,noatime
    case "$kind" in
    vfat) options=$options,umask=0077,flush ;; # flush: written soon, for those who pull it without a word
    exfat) options=$options,umask=0077 ;;
    # A stick could ask for the machine to halt at its first error.
    ext2 | ext3 | ext4) options=$options,errors=remount-ro ;;
    *) leave "${kind:-no file system} is none that sticks come with" ;;
    esac
    take_point
    if ! mount -t "$kind" -o "$options" "$device" "$point"; then
        give_back_point
        exit 1
    fi
    say "$kind, mounted at $point"
}

unmount_it() {
    [ -e "$RECORDS/$name" ] || return 0
    point=$(cat "$RECORDS/$name")
    if mountpoint -q "$point"; then
        # Busy, or gone already: out of everybody's sight now, and gone with the last file that is open.
        umount "$point" 2>/dev/null || umount --lazy "$point"
    fi
    give_back_point
    say "unmounted from $point"
}

name=$2 device=/dev/$2
case "$1" in
mount) mount_it ;;
unmount) unmount_it ;;
*) exit 2 ;;
esac

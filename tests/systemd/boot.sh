#!/bin/sh
# Boots a copy of a Debian system with its own systemd as the first process, our package installed in it, and runs a script inside: boot.sh ROOT PACKAGE SCRIPT
# What the script prints is printed. Nothing of ROOT changes. Exits with 77 and the reason where a system cannot be booted.
set -eu

root=$(realpath "$1") package=$(realpath "$2") script=$(realpath "$3")
work=$(mktemp -d)
boot=
clean() {
    [ -z "$boot" ] || kill "$boot" 2>/dev/null || true
    umount "$work/tmpfs/system" 2>/dev/null || true
    umount "$work/tmpfs" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT

mkdir "$work/tmpfs"
mount -t tmpfs -o size=1g tmpfs "$work/tmpfs" || { echo "a tmpfs cannot be mounted"; exit 77; }
mkdir "$work/tmpfs/upper" "$work/tmpfs/work" "$work/tmpfs/system"
system=$work/tmpfs/system
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/tmpfs/upper,workdir=$work/tmpfs/work" "$system" || { echo "an overlay cannot be mounted"; exit 77; }
cp "$package" "$system/session-reaper.deb"
cp "$script" "$system/script.sh"
# Installed before the boot, as an image is made: no service can be started, and none should be.
chroot "$system" dpkg --install /session-reaper.deb >&2
printf '[Unit]\nRequires=basic.target dbus.service\nAfter=basic.target dbus.service\nAllowIsolate=yes\n' >"$system/etc/systemd/system/trial.target"

setsid systemd-nspawn --quiet --directory="$system" --boot --private-network --register=no --keep-unit --console=pipe --machine="trial$$" \
    systemd.unit=trial.target </dev/null >"$work/console" 2>&1 &
boot=$!
leader=
for _ in $(seq 300); do
    leader=$(pgrep --parent "$boot" | head -n 1) || true
    [ -z "$leader" ] || ! nsenter --target "$leader" --mount --pid --uts --ipc --net --cgroup systemctl is-active --quiet trial.target 2>/dev/null || break
    kill -0 "$boot" 2>/dev/null || { cat "$work/console"; exit 77; }
    sleep 0.1
done
[ -n "$leader" ] || { cat "$work/console"; exit 77; }
status=0
nsenter --target "$leader" --mount --pid --uts --ipc --net --cgroup bash /script.sh || status=$?
kill -s RTMIN+4 "$leader"
wait "$boot" || true
boot=
exit "$status"

#!/bin/sh
# Prints the folder of a clean Debian system, as small as systemd lets it be: root.sh ENVIRONMENT
# ENVIRONMENT is the name of a folder for it, made when missing, and reused.
# Exits with 77 and the reason where such a system cannot be had or booted: it takes root, mmdebstrap and systemd-nspawn. In CI what is missing is installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

[ "$(id -u)" = 0 ] || unavailable "only root can boot a system in a container"
if ! command -v mmdebstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
    [ -n "${CI:-}" ] || unavailable "mmdebstrap and systemd-container are not installed"
    command -v apt-get >/dev/null || unavailable "there is no apt-get"
    { apt-get update && xargs apt-get install --yes --no-install-recommends <"$here/packages.txt"; } >&2 || unavailable "$(tr '\n' ' ' <"$here/packages.txt")cannot be installed"
fi

# The mirror of this machine.
sources() {
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ ! -s "$list" ] || { echo "$list"; return; }
    done
    unavailable "this machine names no Debian mirror"
}

make() {
    mmdebstrap --quiet --variant=minbase --include="$(tr '\n' ',' <"$here/inside.txt" | sed 's/,$//')" bookworm "$1" "$(sources)" >&2 ||
        unavailable "a Debian system cannot be made here"
}

rename() {
    mv -T "$1" "$2"
}

environment "$1" "$here/inside.txt"
echo "$environment"

#!/bin/sh
# Runs observed.py with a Prometheus of Debian's packages, unpacked into a folder: nothing is installed, no service starts.
# Usage: run.sh PROGRAM ENVIRONMENT
# PROGRAM is session-reaper. ENVIRONMENT is the name of a folder for the packages, made when missing, and reused.
# Exits with 77 and the reason where Prometheus cannot be had: no Python, no apt-get, or no package archive in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

download() {
    (cd "$1" && xargs apt-get download <"$here/packages.txt") >/dev/null 2>&1
}

make() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unavailable "there is no apt-get to fetch Prometheus with"
    mkdir "$1" "$1/packages"
    download "$1/packages" || { apt-get update && download "$1/packages"; } >/dev/null 2>&1 || unavailable "Prometheus's package cannot be downloaded"
    for package in "$1"/packages/*.deb; do
        dpkg-deb --extract "$package" "$1"
    done
    rm -r "$1/packages"
}

rename() {
    mv -T "$1" "$2"
}

command -v python3 >/dev/null || unavailable "there is no python3"
environment "$2" "$here/packages.txt"
exec python3 -B "$here/observed.py" "$1" "$environment/usr/bin"

#!/bin/sh
# Runs observed.py with a Prometheus of Debian's packages, unpacked into a folder: nothing is installed, no service starts.
# Usage: run.sh PROGRAM ENVIRONMENT
# PROGRAM is session-reaper. ENVIRONMENT is the name of a folder for the packages, made when missing, and reused.
# Exits with 77 and the reason where Prometheus cannot be had: no Python, no apt-get, or no package archive in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

make() {
    mkdir "$1"
    unpack "$here/packages.txt" "$1" Prometheus
}

rename() {
    mv -T "$1" "$2"
}

command -v python3 >/dev/null || unavailable "there is no python3"
environment "$2" "$here/packages.txt"
exec python3 -B "$here/observed.py" "$1" "$environment/usr/bin"

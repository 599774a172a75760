#!/bin/sh
# Runs try_CLIENT.py with the pinned official client.
# Usage: run.sh CLIENT ENVIRONMENT BASE_URL [SCRIPT PROGRAM]
# CLIENT is browserbase or browser_use. ENVIRONMENT is the name of a folder for the Python environment, made when missing, and reused.
# SCRIPT is run instead, one of this folder; it is told where PROGRAM is, which is session-reaper.
# Exits with 77 and the reason where the client cannot be had: no Python, or no package index in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"
pins="$here/$1.requirements.txt"

make() {
    command -v python3 >/dev/null || unavailable "there is no python3"
    python3 -m venv "$1" || unavailable "python3 cannot make an environment"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement "$pins" ||
        unavailable "the client's packages cannot be installed"
}

rename() {
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$1" "$2"
}

environment "$2" "$pins"
exec "$environment/bin/python" -B "$here/${4:-try_$1.py}" "$3" ${5:+"$5"}

#!/bin/sh
# Runs browserbase_client.py with the pinned official client.
# Usage: browserbase.sh ENVIRONMENT BASE_URL
# ENVIRONMENT is a folder for the Python environment; it is made when missing, one per set of pins, and reused.
# Exits with 77 and the reason where the client cannot be had: no Python, or no package index in reach.
set -eu

unavailable() {
    echo "$1"
    exit 77
}

here=$(cd "$(dirname "$0")" && pwd)
pins="$here/browserbase.requirements.txt"
environment="$1-$(cksum <"$pins" | cut -d ' ' -f 1)"
base_url="$2"

# Several runs may come at once. Each missing environment is made under a name of its own and then renamed in one step, so that nobody sees half
# of one; whoever comes second throws its own away. Scripts in it hold its first name, so that it is only ever used through its interpreter.
if [ ! -d "$environment" ]; then
    command -v python3 >/dev/null || unavailable "there is no python3"
    mkdir -p "$(dirname "$environment")"
    draft=$(mktemp -d "$environment.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    python3 -m venv "$draft/venv" || unavailable "python3 cannot make an environment"
    "$draft/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement "$pins" ||
        unavailable "the client's packages cannot be installed"
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$draft/venv" "$environment" 2>/dev/null || [ -d "$environment" ]
    rm -rf "$draft"
    trap - EXIT
fi

exec "$environment/bin/python" "$here/browserbase_client.py" "$base_url"

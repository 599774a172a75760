#!/bin/sh
# Checks the TypeScript samples of deploy/TEAM.md with the pinned compiler, and runs them with the pinned official clients.
# Usage: typescript.sh ENVIRONMENT BASE_URL PROGRAM
# ENVIRONMENT is the name of a folder for the clients, made when missing, and reused. PROGRAM is session-reaper.
# Exits with 77 and the reason where the clients cannot be had: no Python, no Node, too old a Node, or no package registry in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

make() {
    command -v python3 >/dev/null || unavailable "there is no python3"
    command -v npm >/dev/null || unavailable "there is no npm"
    mkdir "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1"
    (cd "$1" && npm ci --ignore-scripts --engine-strict --no-audit --no-fund --silent --prefer-offline) || unavailable "the clients cannot be installed"
}

rename() {
    node -e 'fs.renameSync(...process.argv.slice(1))' "$1" "$2"
}

environment "$1" "$here/package-lock.json"
exec python3 -B "$here/guide_typescript.py" "$environment" "$2" "$3"

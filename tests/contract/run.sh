#!/bin/sh
# Runs contract.mjs with the pinned Prism.
# Usage: run.sh PROGRAM ENVIRONMENT
# PROGRAM is session-reaper. ENVIRONMENT is the name of a folder for Prism, made when missing, and reused.
# Exits with 77 and the reason where Prism cannot be had: no Node, too old a Node, or no package registry in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

make() {
    command -v npm >/dev/null || unavailable "there is no npm"
    mkdir "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1"
    (cd "$1" && npm ci --ignore-scripts --engine-strict --no-audit --no-fund --silent --prefer-offline) || unavailable "Prism cannot be installed"
}

rename() {
    node -e 'fs.renameSync(...process.argv.slice(1))' "$1" "$2"
}

environment "$2" "$here/package-lock.json"
exec node "$here/contract.mjs" "$1" "$environment"

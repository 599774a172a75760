#!/bin/sh
# Builds the image and runs it, with podman, buildah (which only builds) or docker: the first that is there, no root needed.
#
# Usage: image.sh build [OPTION...]          compiles inside an image of Rust's; with BINARY=FILE around that static binary, and without a network
#        image.sh run CONFIG [OPTION...]     runs it with this configuration, as it is meant to be run; options go to the engine
#
# IMAGE is its name (session-reaper:VERSION), VOLUME that of the ledger's volume (session-reaper), ENGINE the program and its options.
# The container's user is 65532: CONFIG and files with keys must be readable by it, or, with podman and no root, yours are by the option
# --userns=keep-id:uid=65532,gid=65532.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)
commit=$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)
image=${IMAGE:-session-reaper:$version}

engine() {
    if [ -n "${ENGINE:-}" ]; then
        echo "$ENGINE"
        return
    fi
    for name in "$@"; do
        ! command -v "$name" >/dev/null || { echo "$name"; return; }
    done
    echo "none of $* is here" >&2
    exit 1
}

build() {
    engine=$(engine podman buildah docker)
    if [ -z "${BINARY:-}" ]; then
        # shellcheck disable=SC2086 # the engine and its options, one word each
        $engine build --file "$here/Containerfile" --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --tag "$image" "$@" "$here/.."
        return
    fi
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    sh "$here/rootfs.sh" "$BINARY" "$context"
    # shellcheck disable=SC2086
    $engine build --file "$here/Containerfile" --target given --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --tag "$image" "$@" "$context"
}

# The folder is mounted and not the file, of which an editor makes a new one that the container would not see. The network is the host's, so that a
# listener on loopback is one that this machine reaches, without a token and without a published port.
run() {
    folder=$(cd "$(dirname "$1")" && pwd)
    name=$(basename "$1")
    shift
    engine=$(engine podman docker)
    # shellcheck disable=SC2086
    exec $engine run --rm --read-only --cap-drop=all --security-opt=no-new-privileges --network=host \
        --volume "$folder:/etc/session-reaper:ro" --volume "${VOLUME:-session-reaper}:/var/lib/session-reaper" "$@" \
        "$image" --config "/etc/session-reaper/$name" run
}

usage() {
    sed -n '2,/^set /{/^# \{0,1\}/s///p;}' "$0" >&2
    exit 2
}

[ $# -gt 0 ] || usage
what=$1
shift
case $what in
build) build "$@" ;;
run) [ $# -gt 0 ] || usage && run "$@" ;;
*) usage ;;
esac

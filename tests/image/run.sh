#!/bin/sh
# Builds the image around this build of the program, by deploy/image.sh, and runs it beside a simulated provider.
# Usage: run.sh PROGRAM ENVIRONMENT
# PROGRAM is session-reaper in cargo's folder. ENVIRONMENT begins the names of the folders for what this needs, made when missing, and reused.
# Exits with 77 and the reason where that cannot be had: no Linux, no Python, or neither podman nor root and Debian's packages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"
[ "$(uname -s)" = Linux ] || unavailable "containers are Linux's"
command -v python3 >/dev/null || unavailable "there is no python3"

rename() {
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$1" "$2"
}

make() {
    python3 -m venv "$1" || unavailable "python3 cannot make an environment"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement "$here/hadolint.requirements.txt" ||
        unavailable "hadolint cannot be installed"
}
environment "$2-hadolint" "$here/hadolint.requirements.txt"
"$environment/bin/hadolint" "$here/../../deploy/Containerfile"
echo "hadolint: nothing to say"

# Podman of Debian's packages, unpacked, with what their installation would have set up.
make() {
    [ "$(id -u)" = 0 ] || unavailable "there is no podman, and without root it cannot be unpacked and used"
    mkdir "$1"
    unpack "$here/packages.txt" "$1" podman
    mkdir -p "$1/home/.config/containers"
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$1/home/.config/containers/policy.json"
    cat >"$1/podman" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export HOME="$here/home" CONTAINERS_CONF="$here/containers.conf" LD_LIBRARY_PATH="$here/libraries"
# Written anew, since the folder got its name after it was made, and whole, since podman calls podman.
cat >"$CONTAINERS_CONF.$$" <<CONF
[engine]
conmon_path = ["$here/usr/bin/conmon"]
# It calls podman when a container has ended, and podman waits to be called.
conmon_env_vars = ["LD_LIBRARY_PATH=$LD_LIBRARY_PATH"]
runtime = "runc"
[engine.runtimes]
runc = ["$here/usr/sbin/runc"]
CONF
mv "$CONTAINERS_CONF.$$" "$CONTAINERS_CONF"
exec "$here/usr/bin/podman" "$@"
END
    (cd "$1" && ln -s usr/lib/*-linux-gnu* libraries)
    chmod +x "$1/podman"
}
podman=$(command -v podman) || {
    environment "$2-podman" "$here/packages.txt"
    podman="$environment/podman"
}

static=$(mktemp -d)
trap 'rm -rf "$static"' EXIT
sh "$here/static.sh" "$1" "$static/session-reaper"
python3 -B "$here/try_image.py" "$1" "$static/session-reaper" "$podman"

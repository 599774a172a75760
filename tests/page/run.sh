#!/bin/sh
# Looks at the page in a real Chromium: the one that is installed, or Debian's, unpacked into a folder.
# Usage: run.sh PROGRAM ENVIRONMENT SHOTS
# PROGRAM is session-reaper. ENVIRONMENT begins the names of the folders for what this needs, made when missing, and reused. SHOTS is a folder for pictures.
# Exits with 77 and the reason where that cannot be had: no npm, no registry in reach, or neither Chromium nor Debian's packages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

rename() {
    node -e 'fs.renameSync(...process.argv.slice(1))' "$1" "$2"
}

make() {
    command -v npm >/dev/null || unavailable "there is no npm"
    mkdir "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1"
    (cd "$1" && npm ci --ignore-scripts --engine-strict --no-audit --no-fund --silent --prefer-offline) || unavailable "Playwright and axe cannot be installed"
}
environment "$2-modules" "$here/package-lock.json"
modules=$environment

make() {
    mkdir "$1"
    unpack "$here/packages.txt" "$1" Chromium
    cp "$here/fonts.conf" "$1"
    cat >"$1/chromium" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$here" FONTCONFIG_FILE="$here/fonts.conf"
for folder in "$here"/usr/lib/*-linux-gnu* "$here"/lib/*-linux-gnu* "$here"/usr/lib/*-linux-gnu*/pulseaudio; do
    LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$folder"
done
exec "$here/usr/lib/chromium/chromium-headless-shell" "$@"
END
    chmod +x "$1/chromium"
}
chromium=$(command -v chromium) || {
    environment "$2-chromium" "$here/packages.txt"
    chromium="$environment/chromium"
}

exec node "$here/page.mjs" "$1" "$modules" "$chromium" "$3"

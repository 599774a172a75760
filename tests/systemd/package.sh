#!/bin/sh
# Makes the Debian package of the program that the tests were built with, and prints where it is: package.sh ENVIRONMENT PROFILE
# ENVIRONMENT is the name of a folder for cargo-deb, made when missing, and reused. Exits with 77 and the reason where it cannot be had.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

make() {
    version=$(cat "$here/cargo-deb.version")
    if cargo deb --version 2>/dev/null | grep --quiet --fixed-strings "$version"; then
        # Where the path leads now, it may not lead at the next run; what is in cargo's own folder is found anyway.
        mkdir -p "$1/bin"
        if installed=$(command -v cargo-deb); then cp "$installed" "$1/bin"; fi
    else
        cargo install --locked --root "$1" --version "$version" cargo-deb >&2 || unavailable "cargo-deb cannot be installed"
    fi
}

rename() {
    mv -T "$1" "$2"
}

environment "$1" "$here/cargo-deb.version"
PATH="$environment/bin:$PATH" "$here/../../deploy/debian/package.sh" "$2" --built

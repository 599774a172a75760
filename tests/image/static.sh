#!/bin/sh
# Links the program once more, so that it wants no library: what it consists of is compiled already, and only the last step differs.
# Usage: static.sh PROGRAM OUTPUT
# PROGRAM is session-reaper in cargo's folder. The image of a release is compiled for musl as a whole; this is a test's way to have one in seconds.
set -eu

program=$1
output=$2
sources=$(cd "$(dirname "$0")/../../src" && pwd)
deps=$(dirname "$program")/deps

# Cargo keeps several builds of a crate beside each other, and only those that belong together fit each other.
# shellcheck disable=SC2012 # names of cargo's making; the newest comes first
for library in "${program%/*}/libsession_reaper.rlib" $(ls -t "$deps"/libsession_reaper-*.rlib | head -n 3); do
    for clap in $(ls -t "$deps"/libclap-*.rlib); do
        rustc --edition 2024 --crate-name session_reaper_static --crate-type bin -C target-feature=+crt-static -C strip=symbols \
            --extern "session_reaper=$library" --extern "clap=$clap" -L "dependency=$deps" -o "$output" "$sources/main.rs" 2>"$output.said" || continue
        # Another build than the one under test is none of ours.
        [ "$("$output" --version)" = "$("$program" --version)" ] && exit 0
    done
done
cat "$output.said" >&2
exit 1

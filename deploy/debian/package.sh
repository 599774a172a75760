#!/bin/sh
# Builds the Debian package: package.sh [PROFILE [--built]]. Prints where it is.
# Needs cargo-deb: cargo install --locked cargo-deb
# PROFILE is `release` unless it is named; `dev` is quick to build, for trying the package itself. With --built the program is taken as it stands.
set -eu
cd "$(dirname "$0")/../.."

profile="${1:-release}"
cargo deb --version >/dev/null 2>&1 || { echo "package.sh: cargo-deb is missing: cargo install --locked cargo-deb" >&2; exit 2; }
[ "${2:-}" = --built ] || cargo build --locked --profile "$profile" >&2
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
folder=$([ "$profile" = dev ] && echo debug || echo "$profile")
made=target/package
rm -rf "$made"
mkdir -p "$made/man"
"$target/$folder/session-reaper" man --dir "$made/man" >&2
for shell in bash zsh fish; do
    "$target/$folder/session-reaper" completions "$shell" >"$made/session-reaper.$shell"
done
fast=$([ "$profile" = release ] || echo --fast)
# shellcheck disable=SC2086
cargo deb --locked --no-build --profile "$profile" $fast --output "$made/session-reaper.deb" >&2
echo "$PWD/$made/session-reaper.deb"

#!/usr/bin/env bash
# Fuzzes each target for so many seconds, one after the other, and stops at the first finding: run.sh [SECONDS] [TARGET…]
# A finding is a file in artifacts/TARGET. In seeds/TARGET it is a case of the ordinary tests (tests/it/fuzzed.rs) as well.
set -euo pipefail
cd "$(dirname "$0")"

seconds="${1:-60}"
shift || true
case "$seconds" in
    *[!0-9]* | "" | 0) echo "run.sh: '$seconds' is no number of seconds" >&2; exit 2 ;;
esac
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "run.sh: fuzzing needs the nightly toolchain: rustup toolchain install nightly" >&2
    exit 2
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "run.sh: fuzzing needs cargo-fuzz: cargo install --locked cargo-fuzz" >&2
    exit 2
fi

targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir .)
for target in "${targets[@]}"; do
    echo "== $target: $seconds s"
    mkdir -p "corpus/$target"
    options=(-max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=8192 -print_final_stats=1)
    [ ! -f "dictionaries/$target" ] || options+=(-dict="dictionaries/$target")
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- "${options[@]}"
done

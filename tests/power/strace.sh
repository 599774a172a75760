#!/bin/sh
# Prints how to call strace: this machine's own, or the one of Debian's packages, unpacked into a folder.
# Usage: strace.sh ENVIRONMENT
# ENVIRONMENT is the name of a folder for the packages, made when missing, and reused.
# Exits with 77 and the reason where strace cannot be had, or may not trace.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"

make() {
    mkdir "$1"
    unpack "$here/packages.txt" "$1" strace
    # Its library is for itself alone, and not for the program that it traces.
    cat >"$1/strace" <<'END'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu*) exec "$here/usr/bin/strace" -E LD_LIBRARY_PATH "$@"
END
    chmod +x "$1/strace"
}

rename() {
    mv -T "$1" "$2"
}

strace=$(command -v strace) || {
    environment "$1" "$here/packages.txt"
    strace="$environment/strace"
}
"$strace" -f -o /dev/null true || unavailable "strace may not trace here"
echo "$strace"

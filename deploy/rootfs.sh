#!/bin/sh
# Lays out the files of the image around a static binary.
# Usage: rootfs.sh BINARY FOLDER
# FOLDER is made: in it `root`, what becomes the image's files, and `store`, the folder that its user may write. Certificates and time zones are this
# machine's.
set -eu

binary=$1
root=$2/root
user=65532

# A program that wants a loader would not even start in there.
if LC_ALL=C grep -q -E '/lib(64)?/ld-(linux|musl)' "$binary"; then
    echo "$binary is not static: it names a loader" >&2
    exit 1
fi

mkdir -p "$root/usr/bin" "$root/usr/share" "$root/etc/ssl/certs" "$root/etc/session-reaper" "$2/store"
cp "$binary" "$root/usr/bin/session-reaper"
chmod 755 "$root/usr/bin/session-reaper"

# The binary has Mozilla's roots inside and believes the system's beside them: here is where a company mounts its own, and where other tools look.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# The binary has the time zones inside too, and prefers the system's: a new image brings new rules of daylight saving to an old release.
cp -R /usr/share/zoneinfo "$root/usr/share/zoneinfo"
# Other scales of time, and links to what is not in the image.
for name in posix right localtime posixrules; do
    rm -rf "$root/usr/share/zoneinfo/$name"
done

# The number has a name, for those who list processes and files.
echo "nonroot:x:$user:$user:session-reaper:/var/lib/session-reaper:/sbin/nologin" >"$root/etc/passwd"
echo "nonroot:x:$user:" >"$root/etc/group"

#!/bin/sh
# Runs a program with a disk of its own, which nobody else sees and which goes with the program.
# Usage: disk.sh SIZE FOLDER PROGRAM [ARGUMENT...]
# SIZE is in bytes, or with k or m. FOLDER is where the disk is mounted.
# Exits with 77 and the reason where this machine lets us mount nothing.
set -eu

size=$1
folder=$2
shift 2
for way in "--mount" "--mount --map-root-user"; do
    # shellcheck disable=SC2086 # these are options, one word each
    if unshare $way mount -t tmpfs tmpfs "$folder" 2>/dev/null; then
        # shellcheck disable=SC2016,SC2086 # the inner shell's own arguments
        exec unshare $way sh -c 'mount -t tmpfs -o "size=$0,mode=700" tmpfs "$1" && shift && exec "$@"' "$size" "$folder" "$@"
    fi
done
echo "a disk of one's own cannot be mounted here"
exit 77

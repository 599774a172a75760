# For scripts that test us with somebody else's programs: sourced, never run.
# A script defines `make FOLDER`, which puts the programs into a new folder, and `rename FROM TO`, which moves a folder in one step.
# shellcheck shell=sh

# The programs cannot be had: exit status 77 and the reason.
unavailable() {
    echo "$1"
    exit 77
}

# environment NAME PINS: sets $environment to the folder with the programs, one per name and content of the file PINS; made where it is missing.
# Several runs may come at once. Each missing environment is made under a name of its own and then renamed, so that nobody sees half of one;
# whoever comes second throws its own away. What is in it may hold its first name, so that it is only ever used through its interpreter.
environment() {
    environment="$1-$(cksum <"$2" | cut -d ' ' -f 1)"
    [ ! -d "$environment" ] || return 0
    mkdir -p "$(dirname "$environment")"
    draft=$(mktemp -d "$environment.XXXXXX")
    trap 'rm -rf "$draft"' EXIT
    make "$draft/made"
    rename "$draft/made" "$environment" 2>/dev/null || [ -d "$environment" ]
    rm -rf "$draft"
    trap - EXIT
}

# unpack LIST FOLDER WHAT: Debian's packages of the file LIST, downloaded and unpacked into a folder. Nothing is installed, and no service starts.
unpack() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unavailable "there is neither $3 nor apt-get"
    mkdir "$2/packages"
    download "$1" "$2/packages" || { apt-get update && download "$1" "$2/packages"; } >/dev/null 2>&1 || unavailable "the packages of $3 cannot be downloaded"
    for package in "$2"/packages/*.deb; do
        dpkg-deb --extract "$package" "$2"
    done
    rm -r "$2/packages"
}

download() {
    (cd "$2" && xargs apt-get download <"$1") >/dev/null 2>&1
}

#!/usr/bin/env bash
# Gives the glibc of /opt/editors to an editor's server and to programs of its extensions.
# The server's start script calls it in place of patchelf, twice at each start:
#   patchelf --set-rpath FOLDER FILE
#   patchelf --set-interpreter LOADER FILE
# The first call does both, to a copy that must start before it takes the place of FILE:
# another start may run FILE at this moment. All later calls find nothing to do.
set -euo pipefail

libraries=/opt/editors/lib
loader=$libraries/ld-linux-x86-64.so.2
system_loader=/lib64/ld-linux-x86-64.so.2
file=${!#}
copy=

main() {
    refuse_shared_folder
    trap 'rm -f "$copy"' EXIT
    exec 9>/run/container/editors.lock && flock 9
    if ! grep -qaF "$loader" "$file"; then
        replace "$file" starts || exit 1
        patch_programs "${file%/*}" -not -path "$file"
    fi
    patch_new_extensions
}

say() {
    echo "editors: $*" >&2
}

# What has this loader starts in no other container.
refuse_shared_folder() {
    if [[ $(realpath "$file") =~ ^/AI/\.[a-z]+-server ]]; then
        say "${BASH_REMATCH[0]} is one folder for all containers, so its files stay as they are;" \
            "the log of the container says what to do"
        exit 1
    fi
}

# replace FILE CHECK
replace() {
    copy=$(mktemp "$1.XXXXXX") && cp --preserve=mode "$1" "$copy" &&
        "$libraries/patchelf" --force-rpath --set-rpath "$libraries" --set-interpreter "$loader" "$copy" &&
        "$2" "$copy" && mv "$copy" "$1" && return
    say "$1 does not start with the newer glibc, so it stays as it is"
    rm -f "$copy"
    return 1
}

starts() {
    "$1" --version >/dev/null
}

loads() {
    ! lacks_glibc "$loader" "$1"
}

# Asks a loader, which starts nothing, whether its glibc is too old for a program.
lacks_glibc() {
    local answer
    answer=$("$1" --list "$2" 2>&1) || true
    [[ $answer == *"version \`GLIBC"*" not found"* ]]
}

# patch_programs FOLDER [TEST of find]...
patch_programs() {
    local program
    while IFS= read -rd '' program; do
        if lacks_glibc "$system_loader" "$program" &&
            [[ $("$libraries/patchelf" --print-interpreter "$program" 2>/dev/null) == "$system_loader" ]]; then
            replace "$program" loads || true
        fi
    done < <(find "$@" -type f -perm /111 -print0)
}

# Those that people installed since the last start.
patch_new_extensions() {
    local server extension since=()
    if [[ ! $file =~ ^.*/\.[a-z]+-server(-insiders)?/ ]]; then return; fi
    server=${BASH_REMATCH[0]%/}
    if [[ -e $server/.glibc ]]; then since=(-cnewer "$server/.glibc"); fi
    touch "$server/.glibc.new"
    if [[ -d $server/extensions ]]; then
        while IFS= read -rd '' extension; do
            patch_programs "$extension"
        done < <(find "$server/extensions" -mindepth 1 -maxdepth 1 -type d "${since[@]}" -print0)
    fi
    mv "$server/.glibc.new" "$server/.glibc"
}

main

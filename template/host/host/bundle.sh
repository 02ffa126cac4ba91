#!/usr/bin/env bash
# Packs images, packages and Miniforge for a server without network, and loads the images there.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: host/bundle.sh save FOLDER
       host/bundle.sh load FOLDER
       host/bundle.sh --help
  save  on a connected server with the same release of Ubuntu or Debian, set up by host/setup.sh:
        builds the images and writes them, the packages and Miniforge to FOLDER
  load  on the server, after sudo host/setup.sh --offline FOLDER: verifies FOLDER and loads the
        images into Docker
Copy this directory to the server as well.
Exits with 0 if all is done, 1 if a step failed, 2 if the arguments are wrong.'

main() {
    case "${1-} $#" in
        'save 2') save "$(cd "$caller" && realpath --canonicalize-missing "$2")" ;;
        'load 2') load "$(cd "$caller" && realpath --canonicalize-missing "$2")" ;;
        '--help '* | '-h '*) echo "$usage" ;;
        ' 0') refuse_arguments "save or load is needed" ;;
        'save '* | 'load '*) refuse_arguments "$1 needs one folder" ;;
        *) refuse_arguments "unknown argument $1" ;;
    esac
}

refuse_arguments() {
    echo "bundle.sh: $1" >&2
    echo "$usage" >&2
    exit 2
}

say() { echo "bundle.sh: $*"; }

fail() {
    echo "bundle.sh: $*" >&2
    exit 1
}

# Images have the names of the containers, so those of another directory would be replaced.
check_host() {
    local answer
    if answer=$(host/doctor --only project); then return; fi
    fail "another directory may have images of the same names${answer:+: $answer}"
}

save() {
    local folder=$1 images size
    check_host
    mkdir -p "$folder"
    say "step 1 of 4: packages and Miniforge"
    bash host/setup.sh --download "$folder" || exit 1
    say "step 2 of 4: build the images"
    docker compose build || fail "the images could not be built; the messages are above"
    mapfile -t images < <(docker compose config --images | sort --unique)
    size=$(docker image inspect --format '{{.Size}}' "${images[@]}" 2>/dev/null | awk '{sum += $1} END {printf "%.1f", sum / 1e9}') || true
    say "step 3 of 4: write ${images[*]} to $folder/images.tar, at most $size GB"
    docker save "${images[@]}" | dd of="$folder/images.tar" bs=1M iflag=fullblock status="$(progress)" || fail "docker could not save ${images[*]}; pull the images of your own services, and free space in $folder"
    say "step 4 of 4: compute checksums"
    (cd "$folder" && sums=$(find . -type f ! -name SHA256SUMS -exec sha256sum {} +) && echo "$sums" >SHA256SUMS)
    say "$folder is complete ($(du --summarize --human-readable "$folder" | cut -f 1))"
}

# How dd shows what is written so far: at a terminal alone.
progress() { if [[ -t 2 ]]; then echo progress; else echo none; fi; }

load() {
    local folder=$1 quiet=()
    if [[ ! -f $folder/SHA256SUMS ]]; then
        fail "$folder is not a folder that host/bundle.sh save has completed; copy it again"
    fi
    say "step 1 of 2: verify $folder"
    (cd "$folder" && sha256sum --check --quiet SHA256SUMS) || fail "$folder is damaged; the files are named above; copy it again"
    say "step 2 of 2: load the images"
    check_host
    if [[ ! -t 1 ]]; then quiet=(--quiet); fi # a person sees Docker's own progress
    docker load "${quiet[@]}" --input "$folder/images.tar" || fail "Docker did not load the images; run: host/doctor"
    say "now run: docker compose up -d --wait"
}

main "$@"

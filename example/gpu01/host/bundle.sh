#!/usr/bin/env bash
# Carries everything to a host that reaches no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: host/bundle.sh save FOLDER   on a connected host of the same release, set up by host/setup.sh
       host/bundle.sh load FOLDER   on the host, after sudo host/setup.sh --offline FOLDER
save builds the images and puts them, the packages and Miniforge into FOLDER; load verifies
them and gives the images to Docker. Take this directory along too.
Exits with 0 where it is done, 1 where a step failed, 2 where it was called wrongly.'

main() {
    case "${1-} $#" in
        'save 2') save "$(realpath --canonicalize-missing "$2")" ;;
        'load 2') load "$(realpath --canonicalize-missing "$2")" ;;
        '--help 1') echo "$usage" ;;
        *) echo "$usage" >&2 && exit 2 ;;
    esac
}

say() { echo "bundle.sh: $*"; }

fail() {
    echo "bundle.sh: $*" >&2
    exit 1
}

save() {
    local folder=$1 images
    mkdir -p "$folder"
    host/setup.sh --download "$folder" || exit 1
    docker compose build || fail "the images could not be built; read the messages above"
    mapfile -t images < <(docker compose config --images | sort --unique)
    docker save --output "$folder/images.tar" "${images[@]}" || fail "docker could not save ${images[*]}; pull the images of your own services, and make room in $folder"
    (cd "$folder" && sums=$(find . -type f ! -name SHA256SUMS -exec sha256sum {} +) && echo "$sums" >SHA256SUMS)
    say "$folder has it all ($(du --summarize --human-readable "$folder" | cut -f 1))"
}

load() {
    local folder=$1
    if [[ ! -f $folder/SHA256SUMS ]]; then
        fail "$folder is no folder that host/bundle.sh save has finished; copy it anew"
    fi
    (cd "$folder" && sha256sum --check --quiet SHA256SUMS) || fail "$folder is damaged, as told above; copy it anew"
    docker load --quiet --input "$folder/images.tar" || fail "Docker took no images; run host/doctor.sh"
    say "now run: docker compose up -d --wait"
}

main "$@"

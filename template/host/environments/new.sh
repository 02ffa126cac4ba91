#!/usr/bin/env bash
# Makes the conda environment of a TensorFlow release, or a copy of it for a project. It runs
# on the server and in the containers (/environments/new.sh), for several people at once.
set -euo pipefail

usage='usage: new.sh VERSION [PROJECT]
Makes the conda environment of a TensorFlow release, or with PROJECT a copy of it, in which you
install what you like. What both have in common takes disk space once. An environment that is
there already stays as it is. A user who cannot write to the shared conda gets copies of its
releases in ~/.conda/envs, where only that user can write.
Exits with 0 when the environment is ready, 1 when it could not be made, 2 when the arguments
are wrong.'

files=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=/dev/null
. "$files/facts.sh"
: "${conda:?is not set in facts.sh}"

main() {
    read_arguments "$@"
    check_conda
    trust_certificates
    leave_out_other_packages
    lock_environments
    find_release
    if [[ $original == "$envs/$release" ]]; then make "$release" make_release; fi
    if [[ -n $project ]]; then make "$project" copy_release; fi
    say "ready: conda activate ${project:-$release}"
}

say() {
    echo "new.sh: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

refuse() {
    say "$@"
    exit 2
}

read_arguments() {
    if [[ ${1-} == --help && $# == 1 ]]; then echo "$usage" && exit 0; fi
    if [[ $# == 0 || $# -gt 2 || ${1-} == -* ]]; then echo "$usage" >&2 && exit 2; fi
    version=$1 release=tf$1 project=${2-}
    if [[ ! -f $files/$release.yml ]]; then
        refuse "TensorFlow '$version' is not on this server; choose one of: $(list_versions)"
    fi
    if [[ $# == 2 && ! $project =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ || $project == base ]]; then
        refuse "'$project' cannot name an environment; use letters, digits, '.', '_' and '-'"
    fi
    if [[ $project == tf[0-9]* ]]; then
        refuse "'$project' is a name of releases; give the project another name"
    fi
}

list_versions() {
    local names
    names=$(cd "$files" && printf '%s\n' tf*.yml | sed -E 's/^tf(.*)\.yml$/\1/' | sort --version-sort)
    echo "${names//$'\n'/, }"
}

check_conda() {
    if [[ ! -x $conda/bin/python ]]; then
        fail "there is no conda in $conda that $(id -un) can run; install Miniforge or Miniconda there"
    fi
    if ! "$conda/bin/python" -V >/dev/null 2>&1; then
        fail "$conda needs a newer glibc than is here; run this on the server or in a newer container"
    fi
    # Where conda itself makes environments.
    envs=$conda/envs
    if ! mkdir -p "$envs" 2>/dev/null || [[ ! -w $envs ]]; then
        envs=~/.conda/envs
        if ! mkdir -p "$envs"; then
            fail "$(id -un) can write neither to $conda/envs nor to $envs; make one of them writable, or run this in a container"
        fi
    fi
}

# conda has no lock of its own: https://github.com/conda/conda/issues/13037
lock_environments() {
    local lock=$envs/.new.lock
    [[ -e $lock ]] || (umask 0 && touch "$lock")
    exec 9>>"$lock"
    flock --nonblock 9 || { say "waiting for another new.sh" && flock 9; }
    # held by whoever makes the releases that others copy
    lock=$conda/envs/.new.lock
    if [[ $envs != "$conda/envs" && -r $lock ]]; then
        exec 8<"$lock"
        flock --nonblock --shared 8 || { say "waiting for a release in $conda" && flock --shared 8; }
    fi
}

# The release that is there for all, or else the one that this person has or makes.
find_release() {
    original=$conda/envs/$release
    if [[ $envs == "$conda/envs" || (-d $original/conda-meta && ! -e $original/.unfinished) ]]; then return; fi
    original=$envs/$release
    if [[ ! -e $original ]]; then
        say "$release is not in $conda, which belongs to UID $(stat --format=%u "$conda"), so it is made in $envs, for you alone;" \
            "to share it, let that user run: new.sh $version"
    fi
}

# conda and pip bring certificates of their own, which lack the company's. Containers set
# these variables when they start.
trust_certificates() {
    local store=/etc/ssl/certs/ca-certificates.crt
    if [[ -r $store && -n $(find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null) ]]; then
        export SSL_CERT_FILE="${SSL_CERT_FILE-$store}" REQUESTS_CA_BUNDLE="${REQUESTS_CA_BUNDLE-$store}"
    fi
}

# pip takes a package that it finds elsewhere for installed, and a copy would lack it.
leave_out_other_packages() {
    export PYTHONNOUSERSITE=1
    unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER
    export PIP_NO_CACHE_DIR=1
}

# An environment that was begun and not finished is made again; any other stays as it is, such
# as one that a person made by hand after an attempt that failed.
make() {
    local name=$1 step=$2
    prefix=$envs/$1 mark=$envs/$1/.unfinished
    if [[ -e $mark && $(commands) == "$(<"$mark")" ]]; then
        rm -rf "$prefix"
    elif [[ -e $prefix ]]; then
        say "$name is there already"
        return
    fi
    mkdir "$prefix"
    touch "$mark"
    "$step"
    rm "$mark"
}

# The commands of conda in the environment, as conda records them.
commands() {
    grep '^# cmd: ' "$prefix/conda-meta/history" 2>/dev/null || true
}

# Only conda-forge, whatever is configured: Anaconda's channels have terms of service, and
# their plugin refuses without a terminal.
conda_create() {
    local quiet=()
    if [[ ! -t 1 ]]; then quiet=(--quiet); fi
    # conda-forge's TensorFlow is not installed where conda sees no driver, as in a build.
    export CONDA_OVERRIDE_CUDA="${CONDA_OVERRIDE_CUDA-12.8}"
    "$conda/bin/conda" create --yes "${quiet[@]}" --override-channels --channel conda-forge \
        --prefix "$prefix" "$@"
    commands >"$mark"
}

# Not by `conda env create`, which several versions of conda cannot do from here:
# https://github.com/conda/conda/issues/15576
make_release() {
    local packages requirements
    mapfile -t packages < <(read_list '  ')
    mapfile -t requirements < <(read_list '      ')
    if [[ -z ${packages[*]} || ${packages[*]}${requirements[*]} != *tensorflow* ]]; then
        fail "$files/$release.yml lists no packages of conda or none of TensorFlow; restore it from git"
    fi
    say "make $release, step 1 of 3: conda installs ${packages[*]}"
    conda_create "${packages[@]}"
    if [[ -n ${requirements[*]} ]]; then
        say "make $release, step 2 of 3: pip installs ${requirements[*]}"
        "$prefix/bin/python" -m pip install "${requirements[@]}"
    fi
    say "make $release, step 3 of 3: share files with other releases, and protect it"
    open_own_cuda
    share_cuda
    pin_packages
    protect_release
}

# The items of the release's file with such an indentation, with and without quotes.
read_list() {
    sed -nE "s/^$1- (['\"]?)([^'\"]*[^'\":])\1( +#.*)?\$/\2/p" "$files/$release.yml"
}

# Where the environment keeps the packages of its Python.
find_site() {
    local python
    python=$(read_list '  ' | sed -n 's/^python=//p')
    echo "lib/python$python/site-packages"
}

# TensorFlow finds the CUDA of its environment however Python is started, and without a variable
# that other programs would use too.
open_own_cuda() {
    local site
    site=$prefix/$(find_site)
    install --mode=644 "$files/cuda.py" "$site/tensorflow_cuda.py"
    echo 'import tensorflow_cuda' >"$site/tensorflow_cuda.pth"
}

# Many releases bring the same CUDA: it takes disk space once.
share_cuda() {
    local file other
    cd "$prefix/$(find_site)"
    while IFS= read -rd '' file; do
        for other in "$conda"/envs/tf*/lib/python*/site-packages/"$file"; do
            if [[ -O $other && ! $other -ef $file ]] && cmp --silent "$other" "$file"; then
                ln --force "$other" "$file"
                break
            fi
        done
    done < <(find nvidia -type f -size +64k -print0 2>/dev/null)
}

# `conda install` does not see what pip installed and would put another version over it.
pin_packages() {
    local installer
    for installer in "$prefix/$(find_site)"/*.dist-info/INSTALLER; do
        if [[ $(<"$installer") == pip ]]; then
            sed -nE '/^Name: /{s///;h}; /^Version: /{s///;H;x;s/\n/ ==/p;q}' "${installer%INSTALLER}METADATA"
        fi
    done >"$prefix/conda-meta/pinned"
}

# Current conda and pip refuse to change it, with this message; older ones ignore it.
protect_release() {
    local words="$release is what projects are copied from; install in a copy: new.sh $version PROJECT"
    echo "{\"message\": \"$words\"}" >"$prefix/conda-meta/frozen"
    printf '[externally-managed]\nError=%s\n' "$words" >"$prefix/$(dirname "$(find_site)")/EXTERNALLY-MANAGED"
}

# conda would link its own packages to its cache, and copies what pip installed, the greater
# part. Here a copy shares files that nobody edits: large binary files.
copy_release() {
    say "make $project, step 1 of 2: conda copies $release"
    conda_create --copy --clone "$original"
    rm -f "$prefix/$(dirname "$(find_site)")/EXTERNALLY-MANAGED"
    say "make $project, step 2 of 2: share large files with $release"
    open_own_cuda
    pin_packages
    if [[ -O $original ]]; then
        share "$(id -u)" ln --force
    elif can_clone_files; then
        share "$(stat --format=%u "$original")" cp --force --reflink=always --preserve=mode,timestamps
        say "$project shares its large files with $original, which du does not see"
        return
    else
        say "$project takes disk space of its own: only UID $(stat --format=%u "$original") could link files of" \
            "$original, and this file system does not clone files, as XFS and btrfs do"
    fi
    say "disk space, what they share counted once:"
    du -sh "$original" "$prefix" >&2
}

# Replaces large files of the copy that are the same in the release and that a user owns there.
share() {
    local owner=$1 file
    shift
    cd "$original"
    while IFS= read -rd '' file; do
        if cmp --silent "$file" "$prefix/$file"; then "$@" "$file" "$prefix/$file"; fi
    done < <(find . -user "$owner" -type f -size +64k -print0 | LC_ALL=C xargs -0r grep -LIZ '')
}

# Whether both places are on one file system that shares blocks between files.
can_clone_files() {
    local probe=$prefix/.probe known=1
    cp --reflink=always "$original/conda-meta/history" "$probe" 2>/dev/null || known=
    rm -f "$probe"
    [[ $known ]]
}

main "$@"

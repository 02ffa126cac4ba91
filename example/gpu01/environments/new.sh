#!/usr/bin/env bash
# Makes the conda environment of a TensorFlow release, or a copy of it for a project, where
# what is equal takes no disk:  new.sh VERSION [PROJECT]
# It runs on the host and in the containers (/environments/new.sh), for several people at once.
set -euo pipefail

conda=/home/ai/miniconda3
files=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
version=${1-}
release=tf$version
project=${2-}

export PIP_INDEX_URL=https://mirrors.aliyun.com/pypi/simple
export CONDA_CHANNEL_ALIAS=https://mirrors.aliyun.com/anaconda/cloud
export PIP_NO_CACHE_DIR=1

main() {
    check_arguments
    check_conda
    # conda has no lock of its own: https://github.com/conda/conda/issues/13037
    local lock=$conda/envs/.new.lock
    [[ -e $lock ]] || (umask 0 && touch "$lock")
    exec 9>>"$lock"
    flock --nonblock 9 || { say "waiting for another new.sh" && flock 9; }
    make "$release" make_release
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

check_arguments() {
    if [[ ! -f $files/$release.yml ]]; then
        fail "TensorFlow '$version' has no file here; choose one of: $(cd "$files" && echo tf*.yml)"
    fi
    if [[ -n $project && ! $project =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ || $project == base ]]; then
        fail "'$project' is no name for an environment; use letters, digits, '.', '_' and '-'"
    fi
    if [[ $project == tf[0-9]* ]]; then
        fail "'$project' is a name of releases; give the project another one"
    fi
}

check_conda() {
    if [[ ! -x $conda/bin/python ]] || ! mkdir -p "$conda/envs" || [[ ! -w $conda/envs ]]; then
        fail "$conda is no conda that $(id -un) can write to; install Miniforge or Miniconda there"
    fi
    if ! "$conda/bin/python" -V >/dev/null 2>&1; then
        fail "$conda needs a newer glibc than is here; run this on the host or in a newer container"
    fi
}

# An environment that was begun and not finished is made anew; any other is left alone.
make() {
    local name=$1 step=$2 unfinished=$conda/envs/.$1.unfinished
    if [[ -e $unfinished ]]; then
        rm -rf "${conda:?}/envs/$name"
    elif [[ -e $conda/envs/$name ]]; then
        say "$name is there already"
        return
    fi
    touch "$unfinished"
    "$step"
    rm "$unfinished"
}

make_release() {
    "$conda/bin/conda" env create --quiet --prefix "$conda/envs/$release" --file "$files/$release.yml"
    find_libraries
}

# Environments that bring CUDA as wheels need it on the path of the libraries, before the
# image's: https://github.com/tensorflow/tensorflow/issues/63362
find_libraries() {
    local scripts=$conda/envs/$release/etc/conda
    mkdir -p "$scripts/activate.d" "$scripts/deactivate.d"
    cat >"$scripts/activate.d/tensorflow.sh" <<'SH'
TENSORFLOW_LIBRARY_PATH=${LD_LIBRARY_PATH-}
for tensorflow_library in "$CONDA_PREFIX"/lib/python3.*/site-packages/nvidia/*/lib; do
    if [ -d "$tensorflow_library" ]; then
        export LD_LIBRARY_PATH="$tensorflow_library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
done
unset tensorflow_library
SH
    cat >"$scripts/deactivate.d/tensorflow.sh" <<'SH'
LD_LIBRARY_PATH=$TENSORFLOW_LIBRARY_PATH
unset TENSORFLOW_LIBRARY_PATH
SH
}

# conda shares its own packages by hard link; what pip installed, the greater part, it
# copies. What another user made stays a copy: only its owner can link it.
copy_release() {
    local file copy
    "$conda/bin/conda" create --quiet --yes --prefix "$conda/envs/$project" --clone "$conda/envs/$release"
    cd "$conda/envs/$release"
    find . -user "$(id -u)" -type f -size +64k -print0 | while IFS= read -rd '' file; do
        copy=$conda/envs/$project/$file
        if [[ ! $file -ef $copy ]] && cmp --silent "$file" "$copy"; then ln --force "$file" "$copy"; fi
    done
    say "disk space, what they share counted once:"
    du -sh "$conda/envs/$release" "$conda/envs/$project" >&2
}

main

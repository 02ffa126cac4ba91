# Stands in for etc/profile.d/conda.sh, with its names and what it does to the environment.
export CONDA_EXE=@ROOT@/bin/conda

__conda_exe() (
    "$CONDA_EXE" "$@"
)

# What conda's shell.posix would print for these, in its order: scripts, variables, scripts.
__conda_activate() {
    if [ -n "${CONDA_PREFIX-}" ] && [ "${2-}" != --stack ]; then
        for script in "$CONDA_PREFIX"/etc/conda/deactivate.d/*.sh; do
            if [ -r "$script" ]; then . "$script"; fi
        done
        PATH=${PATH#"$CONDA_PREFIX/bin:"}
        PS1=${PS1-}
        PS1=${PS1#"${CONDA_PROMPT_MODIFIER-}"}
    fi
    case $1 in
        deactivate)
            unset CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER
            export CONDA_SHLVL=0
            return
            ;;
        activate) if [ "${2-}" = --stack ]; then shift; fi ;;
        reactivate) set -- activate "$CONDA_DEFAULT_ENV" ;;
    esac
    case $2 in
        */*) set -- "$1" "${2##*/}" "${2%/*}" "${2%/*}" ;;
        *)
            set -- "$@" @ROOT@/envs ~/.conda/envs
            if [ ! -w @ROOT@/envs ]; then set -- "$1" "$2" "$4" "$3"; fi
            ;;
    esac
    if [ ! -d "$3/$2"/conda-meta ]; then set -- "$1" "$2" "$4"; fi
    [ -d "$3/$2"/conda-meta ] ||
        { echo "EnvironmentNameNotFound: Could not find conda environment: $2" >&2; return 1; }
    export CONDA_PREFIX="$3/$2" CONDA_DEFAULT_ENV="$2" CONDA_SHLVL=1
    export CONDA_PROMPT_MODIFIER="($2) " PATH="$CONDA_PREFIX/bin:$PATH"
    PS1="$CONDA_PROMPT_MODIFIER${PS1-}"
    for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
        if [ -r "$script" ]; then . "$script"; fi
    done
}

conda() {
    case "${1-}" in
        activate | deactivate) __conda_activate "$@" ;;
        install | remove)
            __conda_exe "$@" || return
            __conda_activate reactivate
            ;;
        *) __conda_exe "$@" ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    export PATH=@ROOT@/condabin:"$PATH"
fi
if [ -z "${PS1+x}" ]; then PS1=; fi

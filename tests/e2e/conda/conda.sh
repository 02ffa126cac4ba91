# Stands in for etc/profile.d/conda.sh, with its names and what it does to the environment.
export CONDA_EXE=@ROOT@/bin/conda

conda() {
    case "${1-}" in
        activate)
            [ -d @ROOT@/envs/"$2"/conda-meta ] ||
                { echo "EnvironmentNameNotFound: Could not find conda environment: $2" >&2; return 1; }
            export CONDA_PREFIX=@ROOT@/envs/"$2" CONDA_DEFAULT_ENV="$2" CONDA_SHLVL=1
            export PATH="$CONDA_PREFIX/bin:$PATH"
            PS1="($2) ${PS1-}"
            for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
                if [ -r "$script" ]; then . "$script"; fi
            done
            ;;
        *) "$CONDA_EXE" "$@" ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    export PATH=@ROOT@/condabin:"$PATH"
fi

# shellcheck shell=sh disable=SC1090,SC1091
# conda of the server in every shell, without the lines that `conda init` writes to a
# ~/.bashrc. Login shells read it from /etc/profile.d, others from /etc/bash.bashrc, and
# scripts and zsh by a line of theirs: . /etc/profile.d/10-conda.sh

_conda_path=/home/ai/miniconda3

_conda_too_new() {
    echo "conda: $_conda_path needs a newer glibc than this Ubuntu has:" \
        "here it only activates environments" >&2
}

_conda_refuse_init() {
    echo "conda: init is not needed and would write to the ~/.bashrc that all containers share;" \
        "in a script or ~/.zshrc write: . /etc/profile.d/10-conda.sh" >&2
}

# Where conda looks for an environment: first where it makes those of this user.
_conda_find() (
    set -- "$1" "$_conda_path/envs" ~/.conda/envs
    if [ ! -w "$_conda_path/envs" ]; then set -- "$1" "$3" "$2"; fi
    if [ ! -d "$2/$1/conda-meta" ] && [ -d "$3/$1/conda-meta" ]; then set -- "$1" "$3"; fi
    echo "$2/$1"
)

# What conda itself would do, for where it cannot run.
_conda_activate() {
    case $1 in -*)
        echo "conda: activate takes no $1 on this Ubuntu, where conda itself does not run;" \
            "write: conda activate NAME" >&2
        return 1
        ;;
    esac
    _conda_deactivate
    case $1 in
        */*) CONDA_PREFIX=$1 ;;
        base) CONDA_PREFIX=$_conda_path ;;
        *) CONDA_PREFIX=$(_conda_find "$1") ;;
    esac
    if [ ! -d "$CONDA_PREFIX/conda-meta" ]; then
        echo "conda: there is no environment $CONDA_PREFIX" >&2
        unset CONDA_PREFIX
        return 1
    fi
    export CONDA_PREFIX CONDA_DEFAULT_ENV="$1" CONDA_PROMPT_MODIFIER="($1) " CONDA_SHLVL=1
    PATH=$CONDA_PREFIX/bin:$PATH
    _conda_show_environment
    _conda_run_scripts activate
}

_conda_deactivate() {
    if [ -z "${CONDA_PREFIX-}" ]; then return; fi
    _conda_run_scripts deactivate
    PATH=${PATH#"$CONDA_PREFIX/bin:"}
    [ -z "${PS1-}" ] || PS1=${PS1#"${CONDA_PROMPT_MODIFIER-}"}
    unset CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER
    CONDA_SHLVL=0
}

_conda_show_environment() {
    case ${PS1-} in
        '' | "${CONDA_PROMPT_MODIFIER-}"*) ;;
        *) PS1=$CONDA_PROMPT_MODIFIER$PS1 ;;
    esac
}

_conda_run_scripts() {
    for _conda_script in "$CONDA_PREFIX/etc/conda/$1.d"/*.sh; do
        if [ -r "$_conda_script" ]; then . "$_conda_script"; fi
    done
}

if "$_conda_path/bin/python" -V >/dev/null 2>&1; then
    # PATH has condabin from the image; with a level, the hook does not add it again.
    export CONDA_SHLVL="${CONDA_SHLVL:-0}"
    . "$_conda_path/etc/profile.d/conda.sh"
    # conda's function calls this one with every subcommand.
    __conda_exe() (
        if [ "${1-}" = init ]; then
            _conda_refuse_init
            exit 1
        fi
        "$CONDA_EXE" "$@"
    )
elif [ -x "$_conda_path/bin/python" ]; then
    conda() {
        case ${1-} in
            activate) _conda_activate "${2-base}" ;;
            deactivate) _conda_deactivate ;;
            init) _conda_refuse_init; return 1 ;;
            *) _conda_too_new; return 1 ;;
        esac
    }
    if [ -n "${PS1-}" ] && [ -z "${CONDA_SHLVL-}" ]; then _conda_too_new; fi
    export CONDA_SHLVL="${CONDA_SHLVL:-0}"
fi

# A shell started in an active one.
_conda_show_environment

# The ssh alias of a release that is there as an environment asks for it.
if [ -n "${TENSORFLOW_ENVIRONMENT-}" ]; then
    _conda_release=$(_conda_find "$TENSORFLOW_ENVIRONMENT")
    if [ -d "$_conda_release" ] && [ ! -e "$_conda_release/.unfinished" ]; then
        conda activate "$TENSORFLOW_ENVIRONMENT"
    else
        echo "conda: there is no environment $TENSORFLOW_ENVIRONMENT yet;" \
            "create it with: /environments/new.sh ${TENSORFLOW_ENVIRONMENT#tf}" >&2
    fi
    unset TENSORFLOW_ENVIRONMENT _conda_release
fi

# shellcheck shell=sh disable=SC1091
# sshd starts shells without the environment of the container: container-start saved it.
if [ -z "${CONTAINER_ENVIRONMENT-}" ] && [ -r /run/container/environment ]; then
    . /run/container/environment
fi

# shellcheck shell=bash disable=SC1091
# Begins /etc/bash.bashrc. Only people get the rest of it: a banner would break rsync and scp.
if [ -n "${SSH_CONNECTION-}${PS1-}" ]; then . /etc/profile.d/00-container.sh; fi
if [ -r /etc/profile.d/05-login.sh ]; then . /etc/profile.d/05-login.sh; fi
if [ -z "${PS1-}" ]; then
    . /etc/profile.d/10-conda.sh
    return
fi

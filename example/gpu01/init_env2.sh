#!/usr/bin/env bash
# User, sshd and environment of every image, the quick part. The Dockerfiles run it as
# root with CURRENT_UID=uid:gid.
set -euo pipefail

: "${CURRENT_UID:?is the build argument uid:gid}"
user=ai
uid=${CURRENT_UID%:*}
gid=${CURRENT_UID#*:}

main() {
    make_group
    make_user
    use_mirror
    load_environment
    install --mode=644 /tmp/sshd_config /etc/ssh/sshd_config
    install --mode=755 /tmp/start.sh /usr/local/bin/container-start
}

# A group of the image that has the GID already serves as it is.
make_group() {
    if getent group "$gid" >/dev/null; then return; fi
    if getent group "$user" >/dev/null; then
        groupmod --gid "$gid" "$user"
    else
        groupadd --gid "$gid" "$user"
    fi
}

# Accounts of the image that have the UID or the name make way, such as noble's
# ubuntu (1000). --no-log-init: the login logs would grow with the UID.
make_user() {
    local other
    for other in $(getent passwd "$uid" "$user" | cut -d: -f1 | sort -u); do
        userdel "$other"
    done
    make_group
    useradd --no-log-init --no-create-home --home-dir /AI --shell /bin/bash \
        --uid "$uid" --gid "$gid" "$user"
    install -d --owner="$uid" --group="$gid" /AI /run/container
}

use_mirror() {
    cat >/etc/pip.conf <<'CONF'
[global]
index-url = https://mirrors.aliyun.com/pypi/simple
CONF
    mkdir -p /etc/conda
    cat >/etc/conda/.condarc <<'CONF'
channel_alias: https://mirrors.aliyun.com/anaconda/cloud
default_channels:
  - https://mirrors.aliyun.com/anaconda/pkgs/main
  - https://mirrors.aliyun.com/anaconda/pkgs/r
CONF
}

# sshd starts shells without the environment of the container; container-start saves
# it. Only people get the rest of bash.bashrc: a banner would break rsync and scp. The
# ldconfig at the end of TensorFlow's only works for root.
load_environment() {
    cat >/etc/profile.d/00-container.sh <<'PROFILE'
if [ -z "${CONTAINER_ENVIRONMENT-}" ] && [ -r /run/container/environment ]; then
    . /run/container/environment
fi
PROFILE
    touch /etc/bash.bashrc
    {
        cat <<'BASHRC'
if [ -n "${SSH_CONNECTION-}" ]; then . /etc/profile.d/00-container.sh; fi
[ -n "${PS1-}" ] || return
BASHRC
        sed '/^ldconfig$/d' /etc/bash.bashrc
    } >/etc/bash.bashrc.new
    mv /etc/bash.bashrc.new /etc/bash.bashrc
    chmod 644 /etc/bash.bashrc
}

main

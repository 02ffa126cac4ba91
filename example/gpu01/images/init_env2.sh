#!/usr/bin/env bash
# User, sshd and environment of every image, the quick part. The Dockerfiles run it as
# root with CURRENT_UID=uid:gid and the login name as CURRENT_USER.
set -euo pipefail

: "${CURRENT_UID:?is the build argument uid:gid}"
user=${CURRENT_USER:?is the build argument with the login name}
uid=${CURRENT_UID%:*}
gid=${CURRENT_UID#*:}
files=/tmp/container

main() {
    make_group
    make_user
    configure_pip_and_conda
    set_up_shells
    set_time_zone
    install --mode=644 "$files/sshd_config" /etc/ssh/sshd_config
    install --mode=755 "$files/gpu" /usr/local/bin/gpu
    install --mode=755 "$files/start.sh" /usr/local/bin/container-start
    remove_dates
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

# Accounts of the image that have the UID or the name are removed, such as noble's
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

# Both bring certificates of their own, which lack the company's.
configure_pip_and_conda() {
    local pip=() conda=()
    pip+=('index-url = https://mirrors.aliyun.com/pypi/simple')
    conda+=('channel_alias: https://mirrors.aliyun.com/anaconda/cloud' 'default_channels:')
    conda+=('  - https://mirrors.aliyun.com/anaconda/pkgs/main' '  - https://mirrors.aliyun.com/anaconda/pkgs/r')
    if [[ -d /usr/local/share/ca-certificates/company ]]; then
        pip+=('cert = /etc/ssl/certs/ca-certificates.crt')
        conda+=('ssl_verify: /etc/ssl/certs/ca-certificates.crt')
    fi
    if [[ -n ${pip[*]} ]]; then
        install -d /etc/conda
        printf '%s\n' '[global]' "${pip[@]}" >/etc/pip.conf
        printf '%s\n' "${conda[@]}" >/etc/conda/.condarc
    fi
}

# With the day of the build, builds of two days would differ.
remove_dates() {
    sed -i -E 's/^([^:]*:[^:]*):[0-9]+:/\1::/' /etc/shadow
    rm -f /etc/{passwd,group,shadow,gshadow,subuid,subgid}-
}

# The ldconfig at the end of TensorFlow's bash.bashrc only works for root.
set_up_shells() {
    install --mode=644 "$files/profile.sh" /etc/profile.d/00-container.sh
    install --mode=644 "$files/login.sh" /etc/profile.d/05-login.sh
    install --mode=644 "$files/conda.sh" /etc/profile.d/10-conda.sh
    touch /etc/bash.bashrc
    sed '/^ldconfig$/d' /etc/bash.bashrc |
        cat "$files/bashrc-first.sh" - "$files/bashrc-last.sh" >/etc/bash.bashrc.new
    mv /etc/bash.bashrc.new /etc/bash.bashrc
    chmod 644 /etc/bash.bashrc
}

# Compose mounts the server's file, so the time zone is the server's.
set_time_zone() {
    ln -sf /run/host-localtime /etc/localtime
}

main

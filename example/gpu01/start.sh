#!/usr/bin/env bash
# Starts a container, as its user.
set -euo pipefail

main() {
    check_user
    check_mounts
    save_environment
    make_host_key
    check_keys
    exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config 2> >(without_health_checks >&2)
}

say() {
    echo "container-start: $*" >&2
}

check_user() {
    if ! getent passwd "$(id -u)" >/dev/null; then
        say "this image was not built for UID $(id -u); run: docker compose up -d --build"
        exit 1
    fi
}

check_mounts() {
    if [[ ! -w /AI ]]; then
        say "/AI belongs to $(stat -c %u:%g /AI) and $(id -u):$(id -g) cannot write to it;" \
            'on the host run: sudo chown 1000:1000 /home/ai/tensorflow_volume'
        exit 1
    fi
    if [[ ! -w /home/ai/miniconda3 ]]; then
        say '/home/ai/miniconda3 is no conda that 1000 can write to; install Miniforge or Miniconda there on the host'
    elif ! /home/ai/miniconda3/bin/python -V >/dev/null 2>&1; then
        say '/home/ai/miniconda3/bin/python does not run on this Ubuntu; here conda only activates environments'
    fi
}

# What the image and Compose set, for the shells that read /etc/profile.d.
save_environment() {
    local name
    {
        echo 'export CONTAINER_ENVIRONMENT=1'
        for name in $(compgen -e); do
            case $name in
                HOME | HOSTNAME | LOGNAME | MAIL | OLDPWD | PWD | SHELL | SHLVL | TERM | USER | _) ;;
                *) printf 'export %s=%q\n' "$name" "${!name}" ;;
            esac
        done
    } >/run/container/environment
}

# One key for all containers of the host. They may start at the same moment: a link
# cannot replace a key that another one made first.
make_host_key() {
    local key=/AI/.ssh/ssh_host_ed25519_key new
    if [[ -s $key ]]; then return; fi
    mkdir -m 700 /AI/.ssh 2>/dev/null || [[ -d /AI/.ssh ]]
    new=$(mktemp -d /AI/.ssh/new.XXXXXX)
    ssh-keygen -q -t ed25519 -N '' -C gpu01 -f "$new/key"
    ln "$new/key" "$key" 2>/dev/null && mv "$new/key.pub" "$key.pub"
    rm -r "$new"
}

check_keys() {
    local home_keys=/home/ai/.ssh/authorized_keys ai_keys=/AI/.ssh/authorized_keys
    if [[ ! -s $home_keys && ! -s $ai_keys ]]; then
        say "nobody can log in yet: add public keys to $home_keys on the host"
    fi
    if [[ -s $ai_keys && -n $(find -L /AI /AI/.ssh "$ai_keys" -maxdepth 0 \
        \( -perm /002 -o -perm /020 -not -gid "$(id -g)" -o -not -uid "$(id -u)" \)) ]]; then
        say "sshd ignores $ai_keys while others may write to it, to /AI/.ssh or to /AI;" \
            "run: chmod go-w /AI /AI/.ssh $ai_keys"
    fi
}

# They come every few seconds, and sshd cannot leave them out of its log. Of other clients,
# the line that names their address stays.
without_health_checks() {
    exec sed --unbuffered --regexp-extended \
        -e '/^(Connection closed by|Did not receive identification string from) 127\.0\.0\.1 port /d' \
        -e '/^(error: )?kex_exchange_identification: Connection closed by remote host/d'
}

main

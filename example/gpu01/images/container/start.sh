#!/usr/bin/env bash
# Starts a container, as its user:  container-start [HOME PROJECT]
# A person with containers of their own has another home and project directory on the server.
set -euo pipefail

# The environment may name others: PROJECT_PATH and SSH_HOST_KEY.
project=${2:-${PROJECT_PATH:-/home/ai/tensorflow_volume}}
conda=/home/ai/miniconda3
host_key=${SSH_HOST_KEY:-/AI/.ssh/ssh_host_ed25519_key}
host_home=${1:-/home/ai}
home_keys=$host_home/.ssh/authorized_keys
export AUTHORIZED_KEYS=$home_keys # for login.sh
ai_keys=/AI/.ssh/authorized_keys
# In sshd's configuration % begins a token.
sshd_options=(
    -h "$host_key"
    -o "AllowUsers $(id -un 2>/dev/null || true)"
    -o "AuthorizedKeysFile \"${home_keys//%/%%}\" $ai_keys"
)

main() {
    check_user
    check_mounts
    trust_certificates
    give_editors_folders
    save_environment
    make_host_key
    check_keys
    exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config "${sshd_options[@]}" 2> >(explain_log >&2)
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
    if [[ -O /AI && ! -w /AI ]]; then
        say "/AI is read-only; on the server see: findmnt -T ${project@Q}"
        exit 1
    fi
    if [[ ! -w /AI ]]; then
        say "/AI belongs to $(stat -c %u:%g /AI) and $(id -u):$(id -g) cannot write to it;" \
            "on the server run: sudo chown $(id -u):$(id -g) ${project@Q}"
        exit 1
    fi
    # A user who does not own conda makes environments in /AI/.conda/envs.
    if [[ ! -x $conda/bin/python ]]; then
        say "there is no conda in $conda that $(id -u) can run; on the server run: sudo host/setup.sh"
    elif ! "$conda/bin/python" -V >/dev/null 2>&1; then
        say "$conda/bin/python does not run on this Ubuntu; here conda only activates environments"
    fi
}

# Programs of conda and node bring certificates of their own, which lack the company's.
trust_certificates() {
    local all=/etc/ssl/certs/ca-certificates.crt company=(/usr/local/share/ca-certificates/company/*.crt)
    if [[ ! -e ${company[0]} ]]; then return; fi
    export SSL_CERT_FILE=$all REQUESTS_CA_BUNDLE=$all CURL_CA_BUNDLE=$all
    export GIT_SSL_CAINFO=$all NODE_EXTRA_CA_CERTS=$all
}

# All containers share one home, and the servers of two containers interfere with each other in
# one folder: by links in the home, each container uses folders of its own.
give_editors_folders() {
    local name own=/AI/.vscode/$HOSTNAME link=/run/container/editors shared=
    ln -sfT "$own" "$link"
    for name in .vscode-server .vscode-server-insiders .vscodium-server .cursor-server .windsurf-server; do
        if ! mkdir -p "$own/$name"; then
            say "$own/$name could not be made; on the server see: df -h ${project@Q}"
            return
        fi
        ln -sT "$link/$name" "/AI/$name" 2>/dev/null || true # another container was first
        if [[ $(readlink "/AI/$name") != "$link/$name" ]]; then
            say "/AI/$name is one folder for all containers, so their editors interfere with each other;" \
                "close the editors, in this container run: mv -T /AI/$name $own/$name; and restart it"
            shared=yes
        fi
    done
    if [[ $shared || ! -e ${VSCODE_SERVER_PATCHELF_PATH-} ]]; then
        unset VSCODE_SERVER_CUSTOM_GLIBC_PATH VSCODE_SERVER_CUSTOM_GLIBC_LINKER VSCODE_SERVER_PATCHELF_PATH
    fi
}

# What the image and Compose set, for the shells that read /etc/profile.d.
save_environment() {
    local name lines='export CONTAINER_ENVIRONMENT=1'
    for name in $(compgen -e); do
        case $name in
            HOME | HOSTNAME | LOGNAME | MAIL | OLDPWD | PWD | SHELL | SHLVL | TERM | USER | _) ;;
            *) printf -v lines '%s\nexport %s=%q' "$lines" "$name" "${!name}" ;;
        esac
    done
    echo "$lines" >/run/container/environment
}

# One key for all containers of the server. They may start at the same moment: a link
# cannot replace a key that another one made first.
make_host_key() {
    local new=
    if [[ -s $host_key ]]; then
        if [[ -O $host_key ]]; then chmod 600 "$host_key"; fi # or sshd would not take it
        return
    fi
    if { mkdir -m 700 /AI/.ssh 2>/dev/null || [[ -d /AI/.ssh ]]; } &&
        new=$(mktemp -d /AI/.ssh/new.XXXXXX) &&
        ssh-keygen -q -t ed25519 -N '' -C gpu01 -f "$new/key" && sync "$new/key"; then
        ln "$new/key" "$host_key" 2>/dev/null && mv "$new/key.pub" "$host_key.pub"
    fi
    rm -rf "$new"
    if [[ ! -s $host_key ]]; then
        say "$host_key could not be written; on the server see: df -h ${project@Q}"
        exit 1
    fi
}

check_keys() {
    if [[ ! (-s $home_keys && -r $home_keys) && ! -s $ai_keys ]]; then
        say "nobody can log in yet: add public keys to $home_keys on the server, readable for UID $(id -u)"
    fi
}

# sshd's own log, with the fix where it ignores keys.
explain_log() {
    local line path
    while IFS= read -r line; do
        line=${line%$'\r'}
        echo "$line"
        if [[ $line == "Authentication refused: bad ownership or modes for "* ]]; then
            printf -v path %b "${line#*modes for * }" # sshd writes bytes beyond ASCII as \nnn
            if [[ $path/ == /AI/* ]]; then path=$project${path#/AI}; fi
            say "sshd ignores keys in a path that others can write to; on the server run:" \
                "chmod go-w ${path@Q}"
        fi
    done
}

main

#!/usr/bin/env bash
# Brings a bare Ubuntu or Debian server to where it can run its containers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: sudo host/setup.sh [--offline FOLDER]
       host/setup.sh --check | --download FOLDER
Installs Docker Engine with Compose and buildx, the NVIDIA Container Toolkit and Miniforge,
trusts certs/*.crt, and makes the directories to mount. It does what is missing, as often as
you like, and never installs a driver: it names the command that does.
  --check            changes nothing, needs no root, and tells what it would do
  --download FOLDER  fetches packages and Miniforge for a host of this release without network
  --offline FOLDER   takes them from there
Exits with 0 where nothing is left to do, 1 where something is or a step failed, 2 where it
was called wrongly.'

host_home=/home/ai
conda_path=/home/ai/miniconda3
project_path=/home/ai/tensorflow_volume
uid=1000
gid=1000
drivers='tf1.15.5=410.48 tf2.17.0=525.60.13'

# What is downloaded, and how it is known: https://docs.docker.com/engine/install/ubuntu
docker_url=https://mirrors.aliyun.com/docker-ce
docker_key=9DC858229FC7DD38854AE2D88D81803C0EBFCD88
docker_packages=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
# https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
nvidia_url=https://nvidia.github.io/libnvidia-container
nvidia_key=C95B321B61E88C1809C4F759DDCAE044F796ECB0
nvidia_packages=(nvidia-container-toolkit nvidia-container-toolkit-base
    libnvidia-container-tools libnvidia-container1)
# Every image has the glibc 2.17 that its installer asks for:
# https://github.com/conda-forge/miniforge/issues/681 and https://github.com/conda-forge/miniforge/releases
miniforge_url=https://github.com/conda-forge/miniforge/releases/download/25.3.1-0/Miniforge3-25.3.1-0-Linux-x86_64.sh
miniforge_sha256=376b160ed8130820db0ab0f3826ac1fc85923647f75c1b8231166e3d559ab768

check=false
offline=
restart=false
left=()
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
    read_arguments "$@"
    check_system
    check_driver
    trust_certificates
    install_docker
    install_toolkit
    register_runtime
    restart_docker
    make_directories
    install_conda
    finish
}

read_arguments() {
    # shellcheck source=/dev/null
    . /etc/os-release
    case "${1-} $#" in
        ' 0') ;;
        '--check 1') check=true ;;
        '--offline 2') offline=$2 ;;
        '--download 2') download_all "$2" && exit 0 ;;
        '--help 1') echo "$usage" && exit 0 ;;
        *) echo "$usage" >&2 && exit 2 ;;
    esac
}

say() { echo "setup.sh: $*"; }

fail() {
    tell_left
    echo "setup.sh: $*" >&2
    exit 1
}

# Remembers what only a person can do.
leave() { left+=("$1"); }

# Announces a change; with --check that is all there is to it.
change() {
    if $check; then
        say "would $1"
        leave ''
        return 1
    fi
    say "$1"
}

check_system() {
    case $ID-$VERSION_ID in
        ubuntu-20.04 | ubuntu-22.04 | ubuntu-24.04 | debian-12 | debian-13) ;;
        *) fail "this is $PRETTY_NAME, and only Ubuntu 20.04, 22.04, 24.04 and Debian 12, 13 are known; install Docker and the NVIDIA Container Toolkit by hand, then run host/doctor.sh" ;;
    esac
    if [[ $(dpkg --print-architecture) != amd64 ]]; then
        fail "this machine is $(dpkg --print-architecture), and TensorFlow's GPU images are for amd64; use another machine"
    fi
    if ! $check && [[ $(id -u) != 0 ]]; then
        fail "only root can install; run: sudo host/setup.sh"
    fi
}

check_driver() {
    local installed pair command='sudo apt-get install linux-headers-amd64 nvidia-driver, from contrib and non-free'
    if [[ $ID == ubuntu ]]; then
        command='sudo apt-get install ubuntu-drivers-common && sudo ubuntu-drivers install --gpgpu'
    fi
    if installed=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null); then
        installed=${installed%%$'\n'*}
        for pair in $drivers; do
            if ! at_most "${pair#*=}" "$installed"; then
                leave "the NVIDIA driver is $installed and ${pair%=*} needs ${pair#*=} or newer; run: $command; then reboot"
            fi
        done
    elif grep -qsx 0x10de /sys/bus/pci/devices/*/vendor; then
        leave "no NVIDIA driver runs, and the containers need ${drivers//=/ at least }; run: $command; then reboot"
    else
        leave "there is no NVIDIA GPU on the PCI bus; put one in, or pass one through to this virtual machine"
    fi
}

# Whether the first version is not newer than the second.
at_most() { printf '%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

trust_certificates() {
    local certificate folder=/usr/local/share/ca-certificates/company new=()
    for certificate in certs/*.crt; do
        if [[ -e $certificate ]] && ! cmp --quiet "$certificate" "$folder/${certificate##*/}"; then
            new+=("$certificate")
        fi
    done
    if [[ ! ${new[*]} ]]; then return; fi
    install_packages ca-certificates openssl
    change "trust ${new[*]}" || return 0
    for certificate in "${new[@]}"; do
        openssl x509 -noout -in "$certificate" 2>/dev/null || fail "$certificate is no certificate in PEM form; export it anew, as Base64"
    done
    install -D --mode=644 --target-directory="$folder" "${new[@]}"
    update-ca-certificates >/dev/null 2>&1
    restart=true
}

installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet=2 "$@" >/dev/null; }

install_packages() {
    local package missing=() files=()
    for package; do
        if ! installed "$package"; then missing+=("$package"); fi
    done
    if [[ ! ${missing[*]} ]]; then return; fi
    change "install ${missing[*]}" || return 0
    if [[ $offline ]]; then
        for package in "${missing[@]}"; do
            files+=("$(find "$(realpath "$offline")/packages-$ID-$VERSION_ID" -name "${package}_*.deb" 2>/dev/null | grep .)") ||
                fail "$offline has no package $package for $PRETTY_NAME; make it on such a system: host/bundle.sh save"
        done
        apt_get install "${files[@]}" || fail "apt-get could not install ${files[*]}; read its messages above"
        return
    fi
    apt_get update -o APT::Update::Error-Mode=any || fail "apt-get update fails; read its messages above, and compare the answer 'proxy' with your network"
    apt_get install --no-install-recommends "${missing[@]}" || fail "apt-get could not install ${missing[*]}; read its messages above"
}

# Verified by whoever calls it.
download() {
    if [[ $offline ]]; then
        cp "$offline/${1##*/}" "$2" || fail "$offline has no ${1##*/}; make it anew: host/bundle.sh save"
        return
    fi
    install_packages ca-certificates curl
    curl --fail --silent --show-error --location --retry 2 --output "$2" "$1" ||
        fail "$1 could not be downloaded; compare the answers 'proxy' and 'mirror' with your network, and put the company's CA into certs/"
}

# Name, URL of the key, its fingerprint, and what apt calls the repository.
add_repository() {
    local key=/etc/apt/keyrings/$1.asc found
    if [[ $offline ]] || grep -qsrF "${4%% *}" /etc/apt/sources.list /etc/apt/sources.list.d; then return; fi
    install_packages gnupg
    change "add the apt repository $4" || return 0
    download "$2" "$work/key"
    # the one key that is meant, and no second one beside it
    found=$(gpg --homedir "$work" --show-keys --with-colons "$work/key" 2>/dev/null |
        awk -F: '$1 == "pub" {primary = 1} $1 == "fpr" && primary {print $10; primary = 0}') || true
    if [[ $found != "$3" ]]; then
        fail "$2 is not the key $3 but ${found//$'\n'/ and }; somebody may be in between: do not go on before you know who"
    fi
    install -D --mode=644 "$work/key" "$key"
    echo "deb [arch=amd64 signed-by=$key] $4" >"/etc/apt/sources.list.d/$1.list"
}

docker_suffices() {
    local engine compose
    engine=$(dockerd --version 2>/dev/null | sed -n 's/^Docker version \([0-9.]*\).*/\1/p') || return 1
    compose=$(docker compose version --short 2>/dev/null) || return 1
    at_most 20.10 "${engine:-0}" && at_most 2.4 "${compose#v}" && docker buildx version >/dev/null 2>&1
}

install_docker() {
    if docker_suffices; then return; fi
    if installed docker.io; then
        fail "docker.io is here, but not Docker 20.10 with Compose 2.4 and buildx; install these two beside it, or run: sudo apt-get remove docker.io"
    fi
    add_repository docker "$docker_url/linux/$ID/gpg" "$docker_key" "$docker_url/linux/$ID $VERSION_CODENAME stable"
    install_packages "${docker_packages[@]}"
}

install_toolkit() {
    if command -v nvidia-ctk >/dev/null; then return; fi
    add_repository nvidia-container-toolkit "$nvidia_url/gpgkey" "$nvidia_key" "$nvidia_url/stable/deb/amd64 /"
    install_packages "${nvidia_packages[@]}"
}

register_runtime() {
    if grep -qs nvidia-container-runtime /etc/docker/daemon.json; then return; fi
    change "register NVIDIA's runtime in /etc/docker/daemon.json" || return 0
    nvidia-ctk runtime configure --runtime=docker >/dev/null 2>&1 || fail "nvidia-ctk could not change /etc/docker/daemon.json; it must be JSON: repair it"
    restart=true
}

# A restart ends what runs in containers, so it waits for a person where some do.
restart_docker() {
    if ! $restart; then return; fi
    if [[ $(docker ps --quiet 2>/dev/null) ]]; then
        leave "Docker has a new configuration, and containers run; when nobody works in them run: sudo systemctl daemon-reload && sudo systemctl restart docker"
        return
    fi
    say "restart Docker"
    { systemctl daemon-reload && systemctl restart docker; } || fail "Docker does not start; read: sudo journalctl --unit docker --lines 20"
}

make_directories() {
    if [[ ! -d $host_home ]]; then
        fail "$host_home does not exist; make its user first: sudo useradd --create-home --uid $uid --home-dir $(printf %q "$host_home") ai"
    fi
    if [[ ! -d $project_path ]]; then
        change "make $project_path" || return 0
        install -d --owner="$uid" --group="$gid" "$project_path"
    elif [[ $(stat --format=%u "$project_path") != "$uid" ]]; then
        fail "$project_path belongs to $(stat --format=%U "$project_path") and not to $uid; run: sudo chown $uid:$gid $(printf %q "$project_path")"
    fi
}

install_conda() {
    if [[ -x $conda_path/bin/conda ]]; then return; fi
    if [[ -d $conda_path && $(ls -A "$conda_path") ]]; then
        fail "$conda_path has files in it and no conda; move them away, or answer conda_path anew"
    fi
    change "install Miniforge in $conda_path" || return 0
    fetch_miniforge "$work/miniforge.sh"
    chmod 755 "$work"
    install -d --owner="$uid" --group="$gid" "$conda_path"
    setpriv --reuid="$uid" --regid="$gid" --clear-groups env HOME="$host_home" \
        bash "$work/miniforge.sh" -b -u -p "$conda_path" >/dev/null ||
        fail "Miniforge could not be installed in $conda_path; read its messages above"
}

fetch_miniforge() {
    download "$miniforge_url" "$1"
    sha256sum --check --status <<<"$miniforge_sha256  $1" ||
        fail "$miniforge_url does not have the checksum $miniforge_sha256; somebody may be in between: do not go on before you know who"
}

# Needs the repositories, so a host that this script has set up.
download_all() {
    local folder=$1/packages-$ID-$VERSION_ID
    mkdir -p "$folder"
    (cd "$folder" && apt-get --quiet=2 download "${docker_packages[@]}" "${nvidia_packages[@]}") ||
        fail "apt does not know Docker's and NVIDIA's packages; run before: sudo host/setup.sh"
    fetch_miniforge "$1/${miniforge_url##*/}"
}

tell_left() {
    local sentence
    for sentence in "${left[@]}"; do
        if [[ $sentence ]]; then say "left to you: $sentence"; fi
    done
}

finish() {
    tell_left
    if [[ -v left[0] ]]; then exit 1; fi
    say "nothing is left to do; host/doctor.sh tells more"
}

main "$@"

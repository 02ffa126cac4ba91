#!/usr/bin/env bash
# Installs on a bare Ubuntu or Debian server what its containers need.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: sudo host/setup.sh [--offline FOLDER]
       host/setup.sh --check
       host/setup.sh --download FOLDER
       host/setup.sh --help
Installs Docker Engine with Compose and buildx, the NVIDIA Container Toolkit and Miniforge,
trusts images/certs/*.crt, and makes the directories to mount. It does what is missing and can be run
again at any time. It never installs a driver: it prints the command that does.
  --check            prints what would be done; changes nothing and needs no root
  --download FOLDER  downloads packages and Miniforge for a server without network that has the
                     same release of Ubuntu or Debian
  --offline FOLDER   installs from such a folder
Exits with 0 if nothing remains to be done, 1 if something does or a step failed, 2 if the
arguments are wrong.'

# Facts of this server. Those without a value here are in host/facts.sh, the others may be.
host='' user='' uid='' gid='' host_home='' conda_path='' project_path='' drivers=''
people=() proxy='' proxy_exceptions='' docker_mirror=''
docker_url=https://download.docker.com
nvidia_url=https://nvidia.github.io/libnvidia-container
miniforge_url=https://github.com/conda-forge/miniforge/releases/download
# shellcheck source=/dev/null
. host/facts.sh
certificates=images/certs
proxy_file=/etc/systemd/system/docker.service.d/http-proxy.conf

# Docker supports these: https://docs.docker.com/engine/install/ubuntu and .../debian
systems=(ubuntu-20.04 ubuntu-22.04 ubuntu-24.04 ubuntu-26.04 debian-12 debian-13)
# Older ones break apt-get in images of Ubuntu 22.04: https://github.com/moby/moby/issues/42680
oldest_engine=20.10.10
oldest_compose=2.4

# How the downloads are verified: https://docs.docker.com/engine/install/ubuntu
docker_key=9DC858229FC7DD38854AE2D88D81803C0EBFCD88
docker_packages=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
# https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
nvidia_key=C95B321B61E88C1809C4F759DDCAE044F796ECB0
nvidia_packages=(nvidia-container-toolkit nvidia-container-toolkit-base
    libnvidia-container-tools libnvidia-container1)
# Every image has the glibc 2.17 that its installer needs:
# https://github.com/conda-forge/miniforge/issues/681 and https://github.com/conda-forge/miniforge/releases
miniforge_file=25.3.1-0/Miniforge3-25.3.1-0-Linux-x86_64.sh
miniforge_sha256=376b160ed8130820db0ab0f3826ac1fc85923647f75c1b8231166e3d559ab768

check=false
download=
offline=
restart=false
changes=0
number=0
steps=
manual_steps=()
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
    read_arguments "$@"
    read_system
    if [[ $proxy ]]; then
        export http_proxy=$proxy https_proxy=$proxy no_proxy=$proxy_exceptions
    fi
    if [[ $download ]]; then
        download_all "$download"
        exit 0
    fi
    check_system
    check_host
    check_driver
    run_steps trust_certificates install_docker configure_docker install_toolkit prepare_server install_conda
    finish
}

# Announces each change with the number of its step, which says how much remains.
run_steps() {
    local step
    steps=$#
    for step; do
        number=$((number + 1))
        $step
    done
}

read_arguments() {
    local folder
    while (($# > 0)); do
        case $1 in
            --help | -h) echo "$usage" && exit 0 ;;
            --check) check=true ;;
            --download | --offline)
                [[ ${2-} ]] || refuse_arguments "$1 needs a folder"
                if [[ $2 == /* ]]; then folder=$2; else folder=$caller/$2; fi
                if [[ $1 == --offline ]]; then offline=$folder; else download=$folder; fi
                shift
                ;;
            *) refuse_arguments "unknown argument $1" ;;
        esac
        shift
    done
    if [[ $download && ( $offline || $check == true ) ]]; then
        refuse_arguments "--download goes with no other argument"
    fi
}

refuse_arguments() {
    echo "setup.sh: $1" >&2
    echo "$usage" >&2
    exit 2
}

say() { echo "setup.sh: $*"; }

fail() {
    print_manual_steps
    echo "setup.sh: $*" >&2
    exit 1
}

# Remembers what only a person can do, in one or more lines.
manual_step() { manual_steps+=("$(printf '%s\n' "$@")"); }

# Announces a change. With --check nothing more is done.
change() {
    changes=$((changes + 1))
    if $check; then
        say "would $1"
        return 1
    fi
    say "${steps:+step $number of $steps: }$1"
}

read_system() {
    # shellcheck source=/dev/null
    . /etc/os-release
    system=$ID-${VERSION_ID-}
}

check_system() {
    if [[ " ${systems[*]} " != *" $system "* ]]; then
        fail "this is $PRETTY_NAME, and the supported systems are ${systems[*]}; install Docker and the NVIDIA Container Toolkit by hand, then run host/doctor"
    fi
    if [[ $(dpkg --print-architecture) != amd64 ]]; then
        fail "this machine is $(dpkg --print-architecture), and TensorFlow's GPU images are for amd64; use another machine"
    fi
    if ! $check && [[ $(id -u) != 0 ]]; then
        fail "root is needed to install; run: sudo host/setup.sh"
    fi
}

# Compose tells two directories apart by their name alone.
check_host() {
    local directory directories label=com.docker.compose.project
    if ! command -v docker >/dev/null; then return; fi
    if ! directories=$(docker ps --all --filter "label=$label=$host" --format "{{.Label \"$label.working_dir\"}}" 2>&1); then
        say "whether another directory has the host $host is not checked: ${directories##*$'\n'}"
        return
    fi
    while IFS= read -r directory; do
        if [[ -e $directory && ! $directory -ef . ]]; then
            fail "$directory has containers of the same host $host, which docker compose up here would replace or remove; answer 'host' with another name in this directory, then run host/doctor for its ports; or, to start them from here, first run there: docker compose down"
        fi
    done <<<"$directories"
}

check_driver() {
    local installed problem
    if installed=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>"$work/nvidia-smi"); then
        installed=${installed%%$'\n'*}
        if [[ $(containers_without "$installed") ]]; then
            manual_step "the NVIDIA driver is $installed, with which some containers do not start:" \
                "$(containers_without "$installed")" "run: $(driver_command)"
        fi
        if [[ $(only_on_data_center_gpus "$installed") ]]; then
            say "with the NVIDIA driver $installed these start on data-centre GPUs only (such as T4 or A100): $(only_on_data_center_gpus "$installed"); for other GPUs run: $(driver_command)"
        fi
        return
    fi
    problem=$installed$(<"$work/nvidia-smi")
    if [[ $problem == *'version mismatch'* ]]; then
        manual_step "the NVIDIA driver was updated, and the old one is still loaded; run: sudo reboot"
    elif command -v nvidia-smi >/dev/null; then
        manual_step "the NVIDIA driver does not work, nvidia-smi says: ${problem%%$'\n'*}" \
            "look for NVRM in: sudo dmesg; reboot, and if that does not help, run: $(driver_command)"
    elif grep -qsx 0x10de /sys/bus/pci/devices/*/vendor; then
        manual_step "no NVIDIA driver is running, and the containers need one:" \
            "$(containers_without 0)" "run: $(driver_command)"
    else
        manual_step "there is no NVIDIA GPU on the PCI bus; install one, or pass one through to this virtual machine"
    fi
}

# The containers that do not start with this driver, and those that they need, a line for each.
containers_without() {
    local container toolkit branches data_center oldest numbers
    while read -r container toolkit branches data_center; do
        if [[ ! $container ]] || suffices "$1" "$toolkit" "$branches,$data_center"; then continue; fi
        oldest=${branches%%,*}
        oldest=${oldest/#-/$toolkit}
        if at_most "$oldest" "$1"; then
            numbers=$(sed 's/\.[0-9.]*//g; s/,/ or /g' <<<"$branches")
            echo "  $container needs one of branch $numbers, or $toolkit or newer"
        else
            echo "  $container needs $oldest or newer"
        fi
    done <<<"$drivers"
}

only_on_data_center_gpus() {
    local container toolkit branches data_center found=()
    while read -r container toolkit branches data_center; do
        if [[ $container ]] && ! suffices "$1" "$toolkit" "$branches" && suffices "$1" "$toolkit" "$data_center"; then
            found+=("$container")
        fi
    done <<<"$drivers"
    echo "${found[*]}"
}

# Whether a driver is as new as a toolkit's, or of one of these branches and not older than its first.
suffices() {
    local first
    if at_most "$2" "$1"; then return; fi
    for first in ${3//,/ }; do
        if [[ ${first%%.*} == "${1%%.*}" ]] && at_most "$first" "$1"; then return; fi
    done
    return 1
}

# One line to paste. nvidia-smi comes with it: https://documentation.ubuntu.com/server/how-to/graphics/install-nvidia-drivers/
# and https://wiki.debian.org/NvidiaGraphicsDrivers
driver_command() {
    local debian="deb http://deb.debian.org/debian $VERSION_CODENAME main contrib non-free non-free-firmware"
    local list=/etc/apt/sources.list.d/nvidia-driver.list
    case $ID in
        ubuntu) echo "sudo apt-get update && sudo apt-get install -y ubuntu-drivers-common && sudo ubuntu-drivers install && sudo reboot" ;;
        *) echo "echo '$debian' | sudo tee $list && sudo apt-get update && sudo apt-get install -y linux-headers-amd64 nvidia-driver && sudo reboot" ;;
    esac
}

# Whether the first version is not newer than the second.
at_most() { printf '%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

trust_certificates() {
    local certificate folder=/usr/local/share/ca-certificates/company new=()
    for certificate in "$certificates"/*.crt; do
        if [[ -e $certificate ]] && ! cmp --quiet "$certificate" "$folder/${certificate##*/}"; then
            new+=("$certificate")
        fi
    done
    if [[ ! ${new[*]} ]]; then return; fi
    install_packages ca-certificates openssl
    change "trust ${new[*]}" || return 0
    for certificate in "${new[@]}"; do
        openssl x509 -noout -in "$certificate" 2>/dev/null || fail "$certificate is not a certificate in PEM format; export it again, as Base64"
    done
    install -D --mode=644 --target-directory="$folder" "${new[@]}"
    update-ca-certificates >/dev/null 2>&1 || fail "the certificates could not be added; to see why, run: sudo update-ca-certificates"
    restart=true
}

installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# A person at a terminal sees apt's own progress, a log only its errors.
apt_get() {
    if [[ -t 1 ]]; then
        DEBIAN_FRONTEND=noninteractive apt-get --yes "$@"
    else
        DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet=2 "$@" >/dev/null
    fi
}

install_packages() {
    local package missing=() files=()
    for package; do
        if ! installed "$package"; then missing+=("$package"); fi
    done
    if [[ ! ${missing[*]} ]]; then return; fi
    change "install ${missing[*]}" || return 0
    if [[ $offline ]]; then
        for package in "${missing[@]}"; do
            files+=("$(find "$(realpath "$offline")/packages-$system" -name "${package}_*.deb" 2>/dev/null | sort --version-sort | tail -n 1 | grep .)") ||
                fail "$offline has no package $package for $PRETTY_NAME; make the folder on such a system: host/bundle.sh save FOLDER"
        done
        apt_get install "${files[@]}" || fail "apt-get could not install ${files[*]}; its messages are above"
        return
    fi
    apt_get update -o APT::Update::Error-Mode=any || fail "apt-get update failed; its messages are above; check the answers 'proxy' and 'mirror', and the lists in /etc/apt"
    apt_get install --no-install-recommends "${missing[@]}" || fail "apt-get could not install ${missing[*]}; its messages are above"
}

# URL, file, and what to do where the network does not let it through. The caller verifies the file.
fetch() {
    local options=(--silent)
    if [[ $offline ]]; then
        cp "$offline/${1##*/}" "$2" || fail "$offline has no ${1##*/}; make the folder again: host/bundle.sh save FOLDER"
        return
    fi
    if [[ -t 2 ]]; then options=(--progress-bar); fi
    install_packages ca-certificates curl
    curl "${options[@]}" --fail --show-error --location --retry 2 --connect-timeout 20 --output "$2" "$1" ||
        fail "$1 could not be downloaded; check the answer 'proxy', put a company's CA certificate into $certificates/, or, where this site is blocked, $3"
}

# Name, URL of the key, its fingerprint, what apt calls the repository, what to do where it is blocked.
add_repository() {
    local key=/etc/apt/keyrings/$1.asc found
    if [[ $offline ]] || grep -qsrF "${4%% *}" /etc/apt/sources.list /etc/apt/sources.list.d; then return; fi
    install_packages gnupg
    change "add the apt repository $4" || return 0
    fetch "$2" "$work/key" "$5"
    # the one key that is meant, and no second one beside it
    found=$(gpg --homedir "$work" --show-keys --with-colons "$work/key" 2>/dev/null |
        awk -F: '$1 == "pub" {primary = 1} $1 == "fpr" && primary {print $10; primary = 0}') || true
    if [[ $found != "$3" ]]; then
        fail "$2 is not the key $3 but ${found//$'\n'/ and }; the connection may be intercepted: find the cause before you continue"
    fi
    install -D --mode=644 "$work/key" "$key"
    echo "deb [arch=amd64 signed-by=$key] $4" >"/etc/apt/sources.list.d/$1.list"
}

docker_suffices() {
    local engine compose
    engine=$(dockerd --version 2>/dev/null | sed -n 's/^Docker version \([0-9.]*\).*/\1/p') || return 1
    compose=$(docker compose version --short 2>/dev/null) || return 1
    at_most "$oldest_engine" "${engine:-0}" && at_most "$oldest_compose" "${compose#v}" &&
        docker buildx version >/dev/null 2>&1
}

install_docker() {
    if [[ -e /snap/bin/docker ]]; then # https://github.com/canonical/docker-snap/issues/188
        fail "Docker is installed from snap, which cannot mount directories outside of homes; run: sudo snap remove docker, which removes its containers and images too; then run this again"
    fi
    if docker_suffices; then return; fi
    if installed docker.io; then
        fail "docker.io is installed, and Docker $oldest_engine, Compose $oldest_compose or newer and buildx are needed; install what is missing, or run: sudo apt-get remove docker.io; then run this again"
    fi
    add_repository docker "$docker_url/linux/$ID/gpg" "$docker_key" "$docker_url/linux/$ID $VERSION_CODENAME stable" \
        "answer 'mirror'"
    install_packages "${docker_packages[@]}"
    # An upgrade restarts Docker and stops running containers, so a person decides when.
    if all_installed "${docker_packages[@]}" && ! docker_suffices; then
        manual_step "Docker $oldest_engine, Compose $oldest_compose or newer and buildx are needed; when nobody works in containers, run: sudo apt-get update && sudo apt-get install -y ${docker_packages[*]}"
    fi
}

all_installed() {
    local package
    for package; do
        if ! installed "$package"; then return 1; fi
    done
}

configure_docker() {
    configure_docker_proxy
    configure_docker_mirror
}

configure_docker_proxy() {
    if [[ ! $proxy ]]; then return; fi
    write_file "$proxy_file" "[Service]
Environment=\"HTTP_PROXY=$proxy\" \"HTTPS_PROXY=$proxy\" \"NO_PROXY=$proxy_exceptions\""
}

# For images of other services: those of the containers name their registry themselves.
configure_docker_mirror() {
    local file=/etc/docker/daemon.json content
    if [[ ! $docker_mirror || $offline ]] || grep -qsF "$docker_mirror" $file; then return; fi
    install_packages jq
    if $check; then
        change "name $docker_mirror in $file" || return 0
    fi
    content='{}'
    if [[ -s $file ]]; then content=$(<$file); fi
    content=$(jq ".\"registry-mirrors\" += [\"$docker_mirror\"]" <<<"$content") || fail "$file is not valid JSON; correct it"
    write_file $file "$content"
}

write_file() {
    if [[ $(cat "$1" 2>/dev/null) == "$2" ]]; then return; fi
    change "write $1" || return 0
    mkdir -p "${1%/*}"
    echo "$2" >"$1"
    restart=true
}

install_toolkit() {
    install_toolkit_packages
    register_runtime
    restart_docker
}

install_toolkit_packages() {
    if command -v nvidia-ctk >/dev/null; then return; fi
    add_repository nvidia-container-toolkit "$nvidia_url/gpgkey" "$nvidia_key" "$nvidia_url/stable/deb/amd64 /" \
        "get the same packages, signed with the same key, from a mirror: answer 'mirror' with a map that has nvidia: ustc"
    install_packages "${nvidia_packages[@]}"
}

register_runtime() {
    if grep -qs nvidia-container-runtime /etc/docker/daemon.json; then return; fi
    change "register NVIDIA's runtime in /etc/docker/daemon.json" || return 0
    nvidia-ctk runtime configure --runtime=docker >/dev/null 2>&1 || fail "nvidia-ctk could not change /etc/docker/daemon.json; make it valid JSON"
    restart=true
}

# A restart stops running containers, so a person decides when.
restart_docker() {
    if ! $restart && ! lacks_configuration; then return; fi
    if [[ $(docker ps --quiet 2>/dev/null) ]]; then
        manual_step "Docker has a new configuration and containers are running; when nobody works in them, run: sudo systemctl daemon-reload && sudo systemctl restart docker"
        return
    fi
    change "restart Docker" || return 0
    { systemctl daemon-reload && systemctl restart docker; } || fail "Docker does not start; run: sudo journalctl --unit docker --lines 20"
}

# Whether the engine was not restarted since an earlier run configured it.
lacks_configuration() {
    local path runtimes started=/run/docker.pid
    for path in /usr/local/share/ca-certificates/company "$proxy_file"; do
        if [[ -e $started && $path -nt $started ]]; then return; fi
    done
    runtimes=$(docker info --format '{{json .Runtimes}}' 2>/dev/null) || return 1
    [[ $runtimes == '{'* && $runtimes != *'"nvidia"'* ]] && grep -qs nvidia-container-runtime /etc/docker/daemon.json
}

prepare_server() {
    make_directories
    give_time_zone
    share_gpus
}

make_directories() {
    local i
    make_project_directory "$user" "$uid" "$gid" "$host_home" "$project_path" 755
    for ((i = 0; i < ${#people[@]}; i += 5)); do
        check_account "${people[@]:i:2}"
        make_project_directory "${people[@]:i:5}" 700
    done
}

check_account() {
    local name=$1 uid=$2 known
    known=$(id -u "$name" 2>/dev/null) || return 0 # the home says whether there is such a person
    if [[ $known != "$uid" ]]; then
        fail "$name has UID $known on this server, and $uid in the answer people; answer people with uid: $known, or give the account its UID: sudo usermod --uid $uid $name"
    fi
}

make_project_directory() {
    local name=$1 uid=$2 gid=$3 home=$4 project=$5 mode=$6
    if [[ ! -d $home ]]; then
        fail "$home does not exist; create its user first: sudo useradd --create-home --uid $uid --home-dir $(printf %q "$home") $name"
    fi
    if [[ ! -d $project ]]; then
        change "make $project" || return 0
        install -d --owner="$uid" --group="$gid" --mode="$mode" "$project"
    elif [[ $(stat --format=%u "$project") != "$uid" ]]; then
        fail "$project belongs to UID $(stat --format=%u "$project"), not to UID $uid; run: sudo chown $uid:$gid $(printf %q "$project")"
    fi
}

# Every container mounts it; a minimal system lacks it.
give_time_zone() {
    if [[ -f /etc/localtime ]]; then return; fi
    if [[ -d /etc/localtime ]]; then fail "/etc/localtime is a directory, and the containers mount the file with the time zone; run: sudo rmdir /etc/localtime; then run this again"; fi
    install_packages tzdata
    if [[ -f /etc/localtime ]]; then return; fi
    change "make /etc/localtime, for the time zone UTC" || return 0
    ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
}

# What `gpu` of all containers and people of this server writes to, and the command itself.
share_gpus() {
    local queue=/var/lib/gpu-queue command=images/container/gpu
    if [[ $(stat --format=%a:%u "$queue" 2>/dev/null) != 1777:0 ]]; then
        change "make $queue, which all can write to" || return 0
        install -d --mode=1777 --owner=0 --group=0 "$queue"
    fi
    if ! cmp --quiet "$command" /usr/local/bin/gpu; then
        change "install /usr/local/bin/gpu" || return 0
        install --mode=755 "$command" /usr/local/bin/gpu
    fi
}

install_conda() {
    if [[ -x $conda_path/bin/conda ]]; then return; fi
    if [[ -d $conda_path && $(ls -A "$conda_path") ]]; then
        fail "$conda_path contains files but no conda; move them away, or answer 'conda_path' with another directory"
    fi
    change "install Miniforge in $conda_path" || return 0
    fetch_miniforge "$work/miniforge.sh"
    chmod 755 "$work"
    install -d --owner="$uid" --group="$gid" "$conda_path"
    say "unpack Miniforge, which takes a minute"
    setpriv --reuid="$uid" --regid="$gid" --clear-groups env HOME="$host_home" \
        bash "$work/miniforge.sh" -b -u -p "$conda_path" >/dev/null ||
        fail "Miniforge could not be installed in $conda_path; its messages are above"
}

fetch_miniforge() {
    local url=$miniforge_url/$miniforge_file
    say "download ${url##*/} (90 MB)"
    fetch "$url" "$1" "download it elsewhere and run as UID $uid: bash ${url##*/} -b -u -p $(printf %q "$conda_path")"
    sha256sum --check --status <<<"$miniforge_sha256  $1" ||
        fail "$url does not have the checksum $miniforge_sha256; the connection may be intercepted: find the cause before you continue"
}

# Needs the repositories, so a server that this script has set up.
download_all() {
    local folder=$1/packages-$system
    mkdir -p "$folder"
    say "download Docker's and NVIDIA's packages to $folder"
    (cd "$folder" && apt-get --quiet=2 download "${docker_packages[@]}" "${nvidia_packages[@]}" tzdata) ||
        fail "apt does not know Docker's and NVIDIA's packages; run first: sudo host/setup.sh"
    fetch_miniforge "$1/${miniforge_file##*/}"
}

print_manual_steps() {
    local step
    for step in "${manual_steps[@]}"; do say "manual step: $step"; done
}

finish() {
    print_manual_steps
    if [[ -v manual_steps[0] ]] || { $check && ((changes > 0)); }; then exit 1; fi
    say "nothing remains to be done; check the server with: host/doctor"
}

main "$@"

#!/usr/bin/env bash
# Packages of every image, the slow part. The Dockerfiles run it as root and name
# the CUDA packages of the base image as arguments.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
packages=(
    openssh-server
    rsync
    vim
    net-tools
    git
    tmux
    less
    wget
    # Add your own below this line: an update keeps them.
)
# Every package whose name begins like one of these is CUDA's.
cuda_families=(
    cuda
    cudnn
    gds-tools
    libcublas
    libcudart
    libcudla
    libcudnn
    libcufft
    libcufile
    libcupti
    libcurand
    libcusolver
    libcusparse
    libcutensor
    libnccl
    libnpp
    libnvfatbin
    libnvidia-
    libnvinfer
    libnvjitlink
    libnvjpeg
    libnvonnxparsers
    libnvparsers
    libnvptxcompiler
    libnvvm
    nsight-
    nv-tensorrt-
    nvidia-
    nvinfer-runtime-
    tensorrt
)

apt_options=()

main() {
    trap report_full_disk EXIT
    trust_certificates
    disable_nvidia_lists
    use_mirror
    mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial
    update_lists
    hold_cuda "$@"
    check_holds
    exclude_translations
    if [[ ! -e /usr/share/zoneinfo/UTC ]]; then packages+=(tzdata); fi
    apt_get install --no-install-recommends "${packages[@]}"
    clean_up
}

# Lists and archives stay in the build cache, not in the image: every image on this
# Ubuntu installs from what the first one downloaded.
apt_get() {
    apt-get --yes --quiet -o Dir::State::Lists=/tmp/apt/lists -o Dir::Cache=/tmp/apt/cache \
        -o APT::Sandbox::User=root "${apt_options[@]}" "$@"
}

# To apt-get a failed download is a warning, and it goes on with the lists of an earlier build.
update_lists() {
    local log=/tmp/apt/update.log
    if ! LC_ALL=C apt_get update 2>&1 | tee "$log" || grep -q '^W: Some index files failed' "$log"; then
        report "apt-get update failed" "read its messages above, and check the answers 'mirror' and 'proxy'"
        exit 1
    fi
}

# Ubuntu's own images have no translations: nor has vim here. Of its spelling lists, the
# one in UTF-8 stays.
exclude_translations() {
    printf 'path-exclude=/usr/share/vim/*/%s*\n' lang/ tutor/ spell/en.ascii. spell/en.latin1. \
        >/etc/dpkg/dpkg.cfg.d/excludes-vim
}

# apt needs them before it can install ca-certificates, where the image has none.
trust_certificates() {
    if ! compgen -G '/tmp/certs/*.crt' >/dev/null; then return; fi
    packages+=(ca-certificates)
    install -D --mode=644 --target-directory=/usr/local/share/ca-certificates/company \
        /tmp/certs/*.crt
    if command -v update-ca-certificates >/dev/null; then
        update-ca-certificates
    else
        cat /tmp/certs/*.crt >/tmp/company.crt
        apt_options+=(-o Acquire::https::CAInfo=/tmp/company.crt)
    fi
}

# CUDA stays as the image has it, and the key of NVIDIA's lists was changed in 2022:
# https://github.com/NVIDIA/cuda-repo-management/issues/1
disable_nvidia_lists() {
    local list
    for list in /etc/apt/sources.list.d/*; do
        if grep -qsE '(nvidia\.com|nvidia\.github\.io|nvinfer)' "$list"; then
            mv "$list" "$list.disabled"
        fi
    done
}

# Ubuntu's archive, one-line and deb822; suites and other archives stay as they are.
use_mirror() {
    find /etc/apt -maxdepth 2 \( -name '*.list' -o -name '*.sources' \) -exec \
        sed -i -E '/^(deb|URIs:)/ s#https?://[^/ ]+/ubuntu/?( |$)#http://mirrors.aliyun.com/ubuntu\1#g' {} +
}

# What the arguments list, and whatever else of CUDA is installed: never a glob, never
# a package that is not there, since either would hold more than the image has.
hold_cuda() {
    local listed installed
    touch /var/lib/dpkg/available # apt-mark needs it, and some images lack it
    listed=$(printf '%s\n' "$@" | sort -u)
    installed=$(dpkg-query --show --showformat='${db:Status-Abbrev} ${Package}\n' |
        awk '$1 ~ /^[hi]i/ {print $2}' | sort -u)
    held=$(sort -u <(comm -12 <(echo "$installed") <(echo "$listed")) \
        <(grep -E "^($(IFS='|' && echo "${cuda_families[*]}"))" <<<"$installed"))
    [[ -z $held ]] || xargs apt-mark hold <<<"$held"
    report "listed CUDA packages that this image lacks" "$(comm -13 <(echo "$held") <(echo "$listed"))"
    report "CUDA packages beyond the list, held as well" "$(comm -23 <(echo "$held") <(echo "$listed"))"
}

report() {
    [[ -z $2 ]] || echo "init_env1.sh: $1: ${2//$'\n'/ }" >&2
}

check_holds() {
    local moved
    moved=$(comm -12 <(echo "$held") \
        <(apt_get --simulate dist-upgrade | awk '/^(Inst|Remv) / {print $2}' | sort -u))
    if [[ -n $moved ]]; then
        report "apt would still move these CUDA packages" "$moved"
        exit 1
    fi
}

# dpkg's own words for it end in "Are you root?".
report_full_disk() {
    if (($? > 0 && $(df --output=avail / | tail -n 1) < 10000)); then
        report "no space is left where Docker keeps its images" "free some, as by: docker builder prune"
    fi
}

clean_up() {
    rm -f /etc/ssh/ssh_host_* /etc/{passwd,group,shadow,gshadow,subuid,subgid}- \
        /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old \
        /var/log/alternatives.log /var/log/dpkg.log
    rm -rf /var/log/apt/* /tmp/company.crt
}

main "$@"

#!/usr/bin/env bash
# Tells whether this host can run its containers, and what ails those that run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: host/doctor.sh [--json]
Checks driver, GPUs, Docker, paths, ports, disk, conda and network of this host, and the
containers that run. Needs no root and changes nothing.
  --json  prints {"host": ..., "checks": [{"check", "status", "message", "cure"}, ...]}
Every line is ok, warn or fail, and the last two end with the cure.
Exits with 0 where nothing fails, 1 where a check fails, 2 where it was called wrongly.'

host_home=/home/ai
conda_path=/home/ai/miniconda3
project_path=/home/ai/tensorflow_volume
json=false
failures=0
reports=()

main() {
    read_arguments "$@"
    check_driver
    check_gpus
    check_docker
    check_paths
    check_user
    check_conda
    check_network
    check_clock
    if $engine; then
        check_toolkit
        check_disk
        check_ports
        every_container check_container
    fi
    check_host_key
    if $json; then print_json; fi
    if ((failures > 0)); then exit 1; fi
}

read_arguments() {
    case "$*" in
        '') ;;
        --json) json=true ;;
        --help) echo "$usage" && exit 0 ;;
        *) echo "$usage" >&2 && exit 2 ;;
    esac
}

# Runs a check with the facts of each container.
every_container() {
    container=tf1.15.5 image=tensorflow/tensorflow:1.15.5-gpu driver=410.48
    size_gb=4 glibc=2.27 port=10022
    libraries='libcuda.so.1 libcudart.so.10.0 libcublas.so.10.0 libcufft.so.10.0 libcurand.so.10.0 libcusolver.so.10.0 libcusparse.so.10.0 libcudnn.so.7'
    "$1"
    container=tf2.17.0 image=tensorflow/tensorflow:2.17.0-gpu driver=525.60.13
    size_gb=7 glibc=2.35 port=20022
    libraries='libcuda.so.1 libcudart.so.12 libcublas.so.12 libcublasLt.so.12 libcufft.so.11 libcusolver.so.11 libcusparse.so.12 libcudnn.so.8'
    "$1"
}

# Runs a check with the GPU generations of each TensorFlow: known to run, compiling for
# half an hour at the first start, verified by nobody.
every_release() {
    release=1.15.5 why='CUDA 10 has no code for Ampere and newer'
    runs='pascal volta turing' slow='' unverified=''
    "$1"
    release=2.17.0 why='official wheels from 2.16 on are reported to fail on Blackwell'
    runs='pascal volta turing ampere ada hopper' slow='' unverified=''
    "$1"
}

# Compute capability to GPU generation: https://developer.nvidia.com/cuda-gpus
generation_of() {
    case $1 in
        7.5) echo turing ;;
        8.9) echo ada ;;
        6.*) echo pascal ;;
        7.*) echo volta ;;
        8.*) echo ampere ;;
        9.*) echo hopper ;;
        10.*) echo blackwell ;;
        11.*) echo blackwell ;;
        12.*) echo blackwell ;;
    esac
}

ok() { report ok "$1" "$2" ''; }
warn() { report warn "$1" "$2" "$3"; }
fail() {
    report fail "$1" "$2" "$3"
    failures=$((failures + 1))
}

report() {
    if $json; then
        reports+=("{\"check\": \"$2\", \"status\": \"$1\", \"message\": $(quoted "$3"), \"cure\": $(quoted "$4")}")
    else
        printf '%-4s  %-11s  %s\n' "$1" "$2" "$3${4:+; $4}"
    fi
}

quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//[[:cntrl:]]/ }"
}

print_json() {
    local IFS=$'\n'
    printf '{"host": "gpu01", "checks": [\n%s\n]}\n' "$(sed '$!s/$/,/' <<<"${reports[*]}")"
}

# Whether the first version is not newer than the second.
at_most() { printf '%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

among() { [[ " $2 " == *" $1 "* ]]; }

check_driver() {
    local before=$failures
    if ! command -v nvidia-smi >/dev/null; then
        fail driver "there is no nvidia-smi, so no NVIDIA driver" "host/setup.sh --check names the command that installs it"
        return
    fi
    if ! installed=$(timeout 20 nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>&1); then
        case $installed in
            *'version mismatch'*) fail driver "the driver was updated, and the old one is still loaded" "reboot the host" ;;
            *) fail driver "nvidia-smi fails: ${installed%%$'\n'*}" "reboot the host, and install the driver anew if that does not help" ;;
        esac
        return
    fi
    installed=${installed%%$'\n'*}
    every_container compare_driver
    if ((failures == before)); then ok driver "$installed is new enough for every container"; fi
}

compare_driver() {
    if ! at_most "$driver" "$installed"; then
        fail driver "$installed is too old for $container, which needs $driver or newer" "upgrade it: host/setup.sh --check names the command; or leave that version out"
    fi
}

check_gpus() {
    local capabilities capability before=$failures
    if ! capabilities=$(timeout 20 nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null); then
        warn gpus "nvidia-smi does not tell the GPU generations, so they are not checked" "compare the GPUs of nvidia-smi -L with the table in README.md"
        return
    fi
    present=
    while read -r capability; do
        present+="${present:+ }$(generation_of "$capability")"
    done < <(sort --unique <<<"$capabilities")
    every_release compare_gpus
    if ((failures == before)); then ok gpus "every release runs on ${present:-no known generation}"; fi
}

compare_gpus() {
    local generation usable=false
    for generation in $present; do
        if among "$generation" "$runs $slow $unverified"; then usable=true; fi
        if among "$generation" "$slow"; then
            warn gpus "TensorFlow $release compiles for $generation at its first start, half an hour or more" "wait once, and keep ~/.nv/ComputeCache"
        elif among "$generation" "$unverified"; then
            warn gpus "nobody could verify TensorFlow $release on $generation" "try it, or choose a release whose row in README.md has no question mark"
        fi
    done
    if ! $usable; then
        fail gpus "TensorFlow $release does not run on ${present:-these GPUs} ($why)" "choose a release that does: README.md names the generations of each"
    fi
}

check_docker() {
    local answer
    engine=false
    if ! command -v docker >/dev/null; then
        fail docker "Docker is not installed" "run: sudo host/setup.sh"
        return
    fi
    if ! answer=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1); then
        case $answer in
            *'permission denied'*) fail docker "$(id -un) may not use Docker" "run: sudo usermod --append --groups docker $(id -un), and log in anew" ;;
            *) fail docker "the Docker engine does not answer" "run: sudo systemctl start docker" ;;
        esac
        return
    fi
    engine=true
    if at_most 20.10 "$answer"; then ok docker "engine $answer"; else
        fail docker "engine $answer is too old, 20.10 is needed" "upgrade Docker: https://docs.docker.com/engine/install"
    fi
    if ! answer=$(docker compose version --short 2>/dev/null); then
        fail compose "Docker has no Compose plugin" "run: sudo host/setup.sh"
    elif at_most 2.4 "${answer#v}"; then ok compose "Compose ${answer#v}"; else
        fail compose "Compose ${answer#v} is too old, 2.4 is needed" "upgrade the package docker-compose-plugin"
    fi
    if docker buildx version >/dev/null 2>&1; then ok buildx "buildx is there"; else
        fail buildx "Docker has no buildx plugin" "run: sudo host/setup.sh"
    fi
}

check_toolkit() {
    if [[ $(docker info --format '{{json .Runtimes}}' 2>&1) == *'"nvidia"'* ]]; then
        ok toolkit "Docker has the NVIDIA runtime"
    elif command -v nvidia-container-runtime-hook >/dev/null; then
        ok toolkit "Docker has NVIDIA's hook"
    elif [[ $(nvidia-ctk cdi list 2>/dev/null) == *nvidia.com/gpu* ]]; then
        ok toolkit "Docker has NVIDIA's CDI devices"
    else
        fail toolkit "Docker cannot hand out GPUs: there is no NVIDIA runtime, hook or CDI device" "run: sudo host/setup.sh"
    fi
}

check_paths() {
    local path before=$failures
    for path in "$host_home" "$conda_path" "$project_path"; do
        if [[ ! -d $path ]]; then
            fail paths "$path is no directory that $(id -un) can see" "run: sudo host/setup.sh"
        fi
    done
    if ((failures == before)); then ok paths "all directories to mount are there"; fi
}

check_user() {
    local wanted before=$failures
    wanted=$(sed -n 's/^CURRENT_UID=//p' .env 2>/dev/null)
    if [[ ! $wanted =~ ^[1-9][0-9]*:[0-9]+$ ]]; then
        fail user "CURRENT_UID in .env is '$wanted', which is no uid:gid of an ordinary user" "write: CURRENT_UID=1000:1000"
        return
    fi
    check_owner "$conda_path" -R
    check_owner "$conda_path/envs" -R
    check_owner "$project_path"
    if [[ $(stat --format=%u environments) != "${wanted%:*}" && $(find environments ! -perm -o+r -print -quit) ]]; then
        fail user "environments/ is closed to the containers" "run: chmod -R o+rX environments"
    fi
    if ((failures == before)); then ok user "the containers run as $wanted"; fi
}

check_owner() {
    local owner
    owner=$(stat --format=%u:%g "$1" 2>/dev/null) || return 0
    if [[ ${owner%:*} != "${wanted%:*}" ]]; then
        fail user "$1 belongs to $owner and the containers run as $wanted" "run: sudo chown ${2:+$2 }$wanted $(printf %q "$1")"
    fi
}

check_conda() {
    if [[ ! -x $conda_path/bin/conda ]]; then
        fail conda "there is no conda in $conda_path" "run: sudo host/setup.sh"
        return
    fi
    ok conda "$conda_path"
    needed=$(grep -aohE 'GLIBC_2\.[0-9]+' "$conda_path/bin/python" 2>/dev/null | sort -uV | tail -n 1) || true
    needed=${needed#GLIBC_}
    if [[ $needed ]]; then every_container compare_glibc; fi
}

compare_glibc() {
    if ! at_most "$needed" "$glibc"; then
        warn conda "conda needs glibc $needed and $container has $glibc: conda itself does not run there" "use an environment by its own python there, or the Miniforge that host/setup.sh installs"
    fi
}

check_network() {
    reach mirror http://mirrors.aliyun.com/ubuntu/dists/bionic/InRelease
}

# A registry that wants a login answers 401.
reach() {
    local code status=0
    if ! command -v curl >/dev/null; then
        warn "$1" "there is no curl, so $2 is not checked" "run: sudo apt-get install curl"
        return
    fi
    code=$(curl --silent --head --location --output /dev/null --max-time 10 --write-out '%{http_code}' "$2") || status=$?
    case $status-$code in
        0-200 | 0-401) ok "$1" "$2 answers" ;;
        0-*) fail "$1" "$2 answers with HTTP $code" "compare the answer '$1' with what is served there" ;;
        60-*) fail "$1" "$2 has a certificate that this host does not trust" "put the company's CA into images/certs/ as *.crt and run: sudo host/setup.sh" ;;
        *) fail "$1" "$2 is not reached, curl ends with $status" "compare the answers '$1' and 'proxy' with your network" ;;
    esac
}

check_clock() {
    case $(timedatectl show --property=NTPSynchronized --value 2>/dev/null) in
        yes) ok clock "the clock is synchronised" ;;
        no) warn clock "the clock is not synchronised, and certificates are refused where it is wrong" "run: sudo timedatectl set-ntp true" ;;
        *) warn clock "timedatectl does not tell whether the clock is right" "compare the output of date with another clock" ;;
    esac
}

check_disk() {
    local folder free
    folder=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)
    if ! free=$(df --block-size=1G --output=avail "$folder" 2>/dev/null | tail -n 1 | tr -d ' '); then
        warn disk "$(id -un) cannot see the disk of ${folder:-the engine}" "run: sudo df -h ${folder:-/var/lib/docker}"
        return
    fi
    missing=()
    every_container note_missing_image
    wanted=$(printf '%s\n' "${missing[@]}" | sort -u | awk '{sum += $2} END {printf "%d", sum}')
    if ((free < wanted)); then
        fail disk "$free GB are free in $folder and the images that are not there yet need $wanted GB" "free some (docker system df names what Docker holds), or give Docker another data-root"
    else
        ok disk "$free GB are free in $folder, and $wanted GB are needed for images"
    fi
}

note_missing_image() {
    if ! docker image inspect "gpu01-$container" >/dev/null 2>&1 &&
        ! docker image inspect "$image" >/dev/null 2>&1; then
        missing+=("$image $size_gb")
    fi
}

check_ports() {
    local before=$failures
    if ! sockets=$(ss --no-header --listening --tcp --numeric --processes 2>/dev/null); then
        warn ports "there is no ss, so the ports are not checked" "run: sudo apt-get install iproute2"
        return
    fi
    every_container check_port
    if ((failures == before)); then ok ports "every port is free or its container's"; fi
}

check_port() {
    local line process
    line=$(awk -v port=":$port\$" '$4 ~ port' <<<"$sockets" | head -n 1)
    if [[ ! $line || $(docker port "gpu01-$container" 22 2>/dev/null) == *":$port"* ]]; then return; fi
    process=$(sed -n 's/.*users:((\("[^"]*",pid=[0-9]*\).*/\1/p' <<<"$line")
    fail ports "port $port of $container is held by ${process:-a process that only root sees: sudo ss -ltnp sport = :$port}" "stop that; or, while nobody knows the port, write another to ports in .copier-answers.yml, commit, and run: copier recopy --trust --force --vcs-ref :current:"
}

check_host_key() {
    local key=$project_path/.ssh/ssh_host_ed25519_key mode
    mode=$(stat --format=%u:%a "$key" 2>/dev/null) || return 0
    if [[ $mode == "1000:600" ]]; then ok hostkey "only 1000 can read $key"; else
        fail hostkey "$key is ${mode#*:} and belongs to ${mode%:*}, so sshd refuses it" "run: sudo chown 1000 $(printf %q "$key"); sudo chmod 600 $(printf %q "$key")"
    fi
}

check_container() {
    local name=gpu01-$container state
    state=$(docker container inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$name" 2>/dev/null) || state=none
    case $state in
        none) ok "$container" "is not started" ;;
        'running healthy') ok "$container" "is healthy" && check_inside ;;
        'running starting') warn "$container" "is starting" "run host/doctor.sh again in a minute" ;;
        'running unhealthy') fail "$container" "is unhealthy" "read: docker compose logs $container" && check_inside ;;
        restarting*) fail "$container" "keeps restarting" "read: docker compose logs $container" ;;
        *) fail "$container" "has stopped ($state)" "read: docker compose logs $container; then run: docker compose up -d $container" ;;
    esac
}

inside() { timeout 60 docker exec "gpu01-$container" "$@" 2>&1; }

check_inside() {
    check_gpu_inside
    check_libraries
    check_holds
}

check_gpu_inside() {
    local answer number
    if answer=$(inside nvidia-smi -L) && [[ $answer == GPU* ]]; then
        number=$(grep -c '^GPU' <<<"$answer")
        ok "$container" "sees $number GPU(s)"
        return
    fi
    case $answer in
        *'Unknown Error'*) fail "$container" "has lost its GPUs, as after systemctl daemon-reload" "run: docker compose up -d --force-recreate $container; for good: https://github.com/NVIDIA/nvidia-container-toolkit/issues/48" ;;
        *'version mismatch'*) fail "$container" "has the driver of before an upgrade" "run: docker compose up -d --force-recreate $container; if the host's nvidia-smi fails too, reboot" ;;
        *'not found'*) fail "$container" "was started without a driver" "run: sudo host/setup.sh; then: docker compose up -d --force-recreate $container" ;;
        *) fail "$container" "sees no GPU: ${answer%%$'\n'*}" "compare with nvidia-smi on the host, and with the answer gpu_devices" ;;
    esac
}

# The loader itself says what cannot be loaded, with or without Python in the image.
check_libraries() {
    local refused
    # shellcheck disable=SC2016,SC2086 # the container expands it; names, split on purpose
    if ! refused=$(inside bash -c 'for library; do
        [[ ! $(LD_PRELOAD=$library /bin/true 2>&1) ]] || echo "$library"
    done' _ $libraries); then
        fail "$container" "cannot be looked into: ${refused%%$'\n'*}" "run: docker compose up -d --force-recreate $container"
    elif [[ ! $refused ]]; then
        ok "$container" "loads every library that its TensorFlow opens for a GPU"
    elif [[ $refused == libcuda.so.1 ]]; then
        fail "$container" "cannot load libcuda.so.1, the driver's library" "run: docker compose up -d --force-recreate $container; NVIDIA_DRIVER_CAPABILITIES must name compute"
    else
        fail "$container" "cannot load ${refused//$'\n'/ }, so its TensorFlow runs on the CPU" "run: docker compose build --pull $container && docker compose up -d $container"
    fi
}

check_holds() {
    local loose
    # shellcheck disable=SC2016 # dpkg-query expands it
    if ! loose=$(inside dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' |
        sed -nE 's/^ii +((cuda|cudnn|gds-tools|libcublas|libcudart|libcudla|libcudnn|libcufft|libcufile|libcupti|libcurand|libcusolver|libcusparse|libcutensor|libnccl|libnpp|libnvfatbin|libnvidia-|libnvinfer|libnvjitlink|libnvjpeg|libnvonnxparsers|libnvparsers|libnvptxcompiler|libnvvm|nsight-|nv-tensorrt-|nvidia-|nvinfer-runtime-|tensorrt).*)/\1/p'); then
        fail "$container" "does not list its packages" "run: docker compose up -d --force-recreate $container"
    elif [[ ! $loose ]]; then ok "$container" "holds every CUDA package"; else
        fail "$container" "apt may move ${loose//$'\n'/ }" "run: docker compose build $container && docker compose up -d $container"
    fi
}

main "$@"

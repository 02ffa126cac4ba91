#!/usr/bin/env bash
# Docker's health check: again and again until the container is ready, every half minute
# from then on. Docker Engine 25 has start_interval for this; older ones refuse it.
set -euo pipefail

ready=/run/container/ready

main() {
    # container-start writes the environment anew, so an earlier run does not count.
    if [[ $ready -nt /run/container/environment ]]; then sleep 30; fi
    rm -f "$ready"
    is_ready
    touch "$ready"
}

is_ready() {
    local banner
    exec 3<>/dev/tcp/127.0.0.1/22
    read -rt 5 banner <&3
    [[ $banner == SSH-* ]]
}

main

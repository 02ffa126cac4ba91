#!/usr/bin/env bash
# Sends SIGTERM to every process of the pod, and waits for them. The kubelet runs it before it
# ends the pod: it would send SIGTERM to sshd alone, and kill the others when sshd has ended.
set -euo pipefail

main() {
    trap '' TERM
    kill -TERM -1 || return 0 # there are no others
    while others_are_left; do
        sleep 0.2
    done
}

others_are_left() {
    local process
    for process in /proc/[0-9]*; do
        case ${process#/proc/} in
            1 | "$$") continue ;;
        esac
        if is_running "$process"; then
            return 0
        fi
    done
    return 1
}

# A zombie is no longer running.
is_running() {
    local status
    status=$(<"$1/stat") 2>/dev/null || return 1
    status=${status##*) }
    [[ ${status:0:1} != [ZX] ]]
}

main

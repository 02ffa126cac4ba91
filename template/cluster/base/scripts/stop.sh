#!/usr/bin/env bash
# Sends SIGTERM to every process of the pod, and waits for them. The kubelet runs it before it
# ends the pod: it would send SIGTERM to sshd alone, and kill the others when sshd has ended.
# sshd, tmux and servers of editors get it last: a program whose terminal closes is killed by
# SIGHUP while it saves.
set -euo pipefail

main() {
    trap '' TERM
    end_programs
    kill -TERM -1 || return 0 # there are no others
    while [[ $(running) ]]; do
        sleep 0.2
    done
}

end_programs() {
    local last process programs=''
    last=$(have_terminals_of_others | and_parents)
    for process in $(running); do
        if [[ $last != *" $process "* ]]; then programs+=" $process"; fi
    done
    for process in $programs; do
        kill -TERM "$process" 2>/dev/null || true # it has ended
    done
    warn_terminals
    for process in $programs; do
        while is_running "$process" && ! ignores_term "$process"; do
            sleep 0.2
        done
    done
}

# A terminal that was stopped by Ctrl-S takes nothing, and is not waited for.
warn_terminals() {
    local terminal
    for terminal in /dev/pts/[0-9]*; do
        printf '\r\n\a%s\r\n' 'This pod ends now. Programs got SIGTERM and have two minutes to save.' |
            dd of="$terminal" oflag=nonblock status=none 2>/dev/null || true
    done
}

# All processes but the first one and this script.
running() {
    local process
    for process in /proc/[0-9]*; do
        process=${process#/proc/}
        case $process in
            1 | "$$" | "$BASHPID") continue ;;
        esac
        if is_running "$process"; then echo "$process"; fi
    done
}

# A zombie is no longer running.
is_running() {
    local status
    { status=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    status=${status##*) }
    [[ ${status:0:1} != [ZX] ]]
}

# As an interactive shell does.
ignores_term() {
    local name value
    while read -r name value; do
        if [[ $name == SigIgn: ]]; then
            ((16#$value & 1 << 14))
            return
        fi
    done 2>/dev/null <"/proc/$1/status"
}

# Files in /proc of sshd, and of what has the other end of a terminal.
have_terminals_of_others() {
    grep -l '^sshd' /proc/[0-9]*/comm 2>/dev/null || true
    find /proc/[0-9]*/fd -lname '/dev/p*tmx' 2>/dev/null || true
}

# An editor's server ends its child that has the terminals.
and_parents() {
    local process status
    while IFS=/ read -r _ _ process _; do
        while ((process > 1)); do
            printf ' %s ' "$process"
            { status=$(<"/proc/$process/stat"); } 2>/dev/null || break
            read -r _ process _ <<<"${status##*) }"
        done
    done
}

main

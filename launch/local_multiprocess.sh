#!/usr/bin/env bash
# Trains in several processes on this computer, which find each other through jax.distributed as they would on a
# cluster: for trying out what many hosts do, with CPU devices.
#
#   bash launch/local_multiprocess.sh --processes 2 --devices 2 -- \
#       --config=configs/cpu_small.py --config.data.path=units/ --workdir=runs/pair
#
#   --processes N   how many processes (default 2)
#   --devices N     CPU devices of each (default 1)
#   --restarts N    when a process dies, end the others and start all again, at most N times (default 0);
#                   training goes on from its newest checkpoint
#   --study         the processes are one worker of a study: what follows -- goes to `slm study train`
#   --port N        of the coordinator, process 0 (default: a free one)
#   --logs DIR      where processes 1 and up write what they print (default: a temporary folder)
#   --dry-run       print the commands and run nothing
#
# What follows -- goes to `slm train`. Relative paths are relative to the checkout. Ctrl-C ends all processes.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/steps.sh
source launch/environment.sh

processes=2 devices=1 restarts=0 port='' logs='' verb=(train)
while [ $# -gt 0 ]; do
    case $1 in
        --processes) need "$@"; processes=$2; shift 2 ;;
        --devices) need "$@"; devices=$2; shift 2 ;;
        --restarts) need "$@"; restarts=$2; shift 2 ;;
        --study) verb=(study train); shift ;;
        --port) need "$@"; port=$2; shift 2 ;;
        --logs) need "$@"; logs=$2; shift 2 ;;
        --dry-run) DRY_RUN=yes; shift ;;
        --help) help ;;
        --) shift; break ;;
        *) fail "there is no option $1; see --help" ;;
    esac
done
whole --processes "$processes" 1
whole --devices "$devices" 1
whole --restarts "$restarts" 0
[ -z "$port" ] || whole --port "$port" 1
if [ "${verb[0]}" = study ]; then worker_arguments "$@"; else training_arguments "$@"; fi

if ! command -v slm >/dev/null; then
    [ -n "$DRY_RUN" ] || make_environment .venv
    PATH="$PWD/.venv/bin:$PATH"
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# command_of PROCESS: fills `command` with what that process runs. Proxies are unset: JAX may try to reach the
# others through them. A process that was asked to stop is not done.
command_of() {
    command=(env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u all_proxy -u ALL_PROXY
        JAX_PLATFORMS=cpu "JAX_NUM_CPU_DEVICES=$devices" "JAX_COORDINATOR_ADDRESS=127.0.0.1:$address_port"
        "JAX_NUM_PROCESSES=$processes" "JAX_PROCESS_ID=$1" SLM_JAX_PREEMPTED_EXIT=143
        slm "${verb[@]}" --distributed "${arguments[@]}")
}

pids=''
end_all() {
    local pid
    for pid in $pids; do kill "-$1" "$pid" 2>/dev/null || true; done
}

# As on a cluster that takes its machines back: 30 seconds to write a checkpoint.
preempt() {
    local second
    end_all TERM
    for ((second = 0; second < 30; second++)); do
        [ -n "$(jobs -pr)" ] || break
        sleep 1
    done
    exit 143
}

# Waits until all processes are done, or one has failed; then ends the others and returns its exit code.
wait_for_all() {
    local pid code going=$pids
    while [ -n "$going" ]; do
        sleep 0.2
        for pid in $going; do
            kill -0 "$pid" 2>/dev/null && continue
            code=0
            wait "$pid" || code=$?
            going=$(echo " $going " | sed "s/ $pid / /; s/^ *//; s/ *$//")
            if [ "$code" -ne 0 ]; then
                end_all KILL # they wait for the one that died and cannot go on
                wait 2>/dev/null || true
                return "$code"
            fi
        done
    done
}

arguments=("$@")
if [ -n "$DRY_RUN" ]; then
    address_port=${port:-PORT}
    for ((process = 0; process < processes; process++)); do
        command_of "$process"
        step "${command[@]}"
    done
    exit 0
fi

if [ -n "$logs" ]; then mkdir -p "$logs"; else logs=$(mktemp -d); fi
trap 'end_all KILL' EXIT
trap preempt TERM
trap 'exit 130' INT
for ((attempt = 0; ; attempt++)); do
    address_port=${port:-$(free_port)}
    pids=''
    for ((process = 0; process < processes; process++)); do
        command_of "$process"
        if [ "$process" -eq 0 ]; then
            "${command[@]}" &
        else
            "${command[@]}" >>"$logs/process$process.log" 2>&1 &
        fi
        pids="$pids $!"
    done
    code=0
    wait_for_all || code=$?
    pids=''
    [ "$code" -ne 0 ] || exit 0
    if [ "$code" -eq 2 ] || [ "$attempt" -ge "$restarts" ]; then # 2: it would end alike
        echo "local_multiprocess.sh: a process ended with exit code $code; the others' output is in $logs" >&2
        exit "$code"
    fi
    echo "local_multiprocess.sh: a process ended with exit code $code; restart $((attempt + 1)) of $restarts" >&2
done

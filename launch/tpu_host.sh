#!/usr/bin/env bash
# What launch/tpu_pod.sh has each host of a TPU slice do; the checkout it belongs to is there already.
#
#   install          the environment, with a Python that is new enough
#   mount BUCKET     a Cloud Storage bucket as the folder bucket
#   start VERB ..    `slm VERB ..`, as `slm train --distributed --config=FILE`, which outlives the connection
#   look             prints going, or the exit code of the run that ended, or none
#   follow           shows what the run prints, until it ends
#
# A run is three files of the checkout: train.log, train.pid and train.exit.
set -euo pipefail
cd "$(dirname "$0")/.."

going() {
    [ -f train.pid ] && kill -0 "$(cat train.pid)" 2>/dev/null
}

verb=$1
shift
case $verb in
    install) # Ubuntu 22.04, which TPU VMs run, has Python 3.10 and offers 3.11
        python=python3.12
        "$python" -c 'import ensurepip' 2>/dev/null || python=python3.11
        "$python" -c 'import ensurepip' 2>/dev/null || {
            sudo apt-get update -q
            sudo apt-get install -qy python3.11 python3.11-venv
        }
        # shellcheck disable=SC2034 # read by make_environment
        PYTHON=$python
        source launch/environment.sh
        make_environment .venv tpu
        ;;
    mount) # as cloud.google.com/storage/docs/cloud-storage-fuse/install says
        if ! command -v gcsfuse >/dev/null; then
            key=/usr/share/keyrings/cloud.google.asc
            curl -fsS https://packages.cloud.google.com/apt/doc/apt-key.gpg | sudo tee "$key" >/dev/null
            echo "deb [signed-by=$key] https://packages.cloud.google.com/apt gcsfuse-$(lsb_release -cs) main" |
                sudo tee /etc/apt/sources.list.d/gcsfuse.list >/dev/null
            sudo apt-get update -q
            sudo apt-get install -qy gcsfuse
        fi
        mkdir -p bucket
        # A checkpoint is a folder that gets its name when it is whole.
        mountpoint -q bucket || gcsfuse --implicit-dirs --rename-dir-limit=10000 "$1" bucket
        ;;
    start)
        if going; then kill -KILL -- "-$(cat train.pid)"; fi # of a start that failed on another host
        rm -f train.exit
        # A run that was asked to stop has saved but is not done: 143, as of a process that SIGTERM ended.
        # shellcheck disable=SC2016 # $@ and $? are the inner shell's
        SLM_JAX_PREEMPTED_EXIT=143 setsid nohup \
            bash -c '"$@" >train.log 2>&1; echo $? >train.exit' run .venv/bin/slm "$@" </dev/null >/dev/null 2>&1 &
        echo $! >train.pid
        ;;
    look)
        if going; then echo going; else cat train.exit 2>/dev/null || echo none; fi
        ;;
    follow)
        tail -n 100 -F --pid="$(cat train.pid)" train.log
        ;;
    *)
        echo "tpu_host.sh: there is no $verb; see the head of this file" >&2
        exit 2
        ;;
esac

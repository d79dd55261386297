#!/usr/bin/env bash
# Trains on all hosts of a Cloud TPU slice: takes the slice that is there or asks for one (a queued resource), brings
# the checkout to every host, installs it, starts `slm train` on all, shows the first host's output, and starts again
# when the slice was preempted or a process died.
#
#   bash launch/tpu_pod.sh --name first --zone us-east5-a --type v6e-32 --version v2-alpha-tpuv6e --spot \
#       --bucket my-bucket -- \
#       --config=configs/budgets/1e20.py:309M --config.data.path=bucket/units --workdir=bucket/runs/309M
#
#   --name NAME       of the TPU VM, and of the queued resource that asks for it
#   --zone ZONE       where it is
#   --project NAME    (default: gcloud's)
#   --type TYPE       accelerator type, as v6e-32; without it the TPU VM must be there already
#   --version NAME    runtime version to create it with, as v2-alpha-tpuv6e
#   --spot            ask for one that may be preempted
#   --bucket NAME     a Cloud Storage bucket that every host mounts (gcsfuse) as the folder bucket of its checkout
#   --setup COMMAND   run on every host before training, as to mount another shared folder
#   --study           all hosts are one worker of a study that is prepared: what follows -- goes to `slm study train`
#   --restarts N      at most so many, after a failure or preemption (default 10)
#   --dry-run         print the commands for a slice that is still to be asked for, and run nothing
#
# What follows -- goes to `slm train`; data and work directory must be where every host sees them. Started again while
# the run goes on, it shows the run's output and starts nothing. Ctrl-C ends the showing, not the run.
# POLL_SECONDS (default 30) passes between two looks at a slice that is being made.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/steps.sh

name='' zone='' type='' version='' bucket='' setup='' restarts=10 verb=(train)
gcloud_flags=() create_flags=()
while [ $# -gt 0 ]; do
    case $1 in
        --name) need "$@"; name=$2; shift 2 ;;
        --zone) need "$@"; zone=$2; shift 2 ;;
        --project) need "$@"; gcloud_flags+=("--project=$2"); shift 2 ;;
        --type) need "$@"; type=$2; shift 2 ;;
        --version) need "$@"; version=$2; shift 2 ;;
        --spot) create_flags+=(--spot); shift ;;
        --bucket) need "$@"; bucket=$2; shift 2 ;;
        --setup) need "$@"; setup=$2; shift 2 ;;
        --study) verb=(study train); shift ;;
        --restarts) need "$@"; restarts=$2; shift 2 ;;
        --dry-run) DRY_RUN=yes; shift ;;
        --help) help ;;
        --) shift; break ;;
        *) fail "there is no option $1; see --help" ;;
    esac
done
[ -n "$name" ] || fail "give --name: of the TPU VM"
[ -n "$zone" ] || fail "give --zone: where the TPU VM is, as us-east5-a"
[ -z "$type" ] || [ -n "$version" ] || fail "--type needs --version: the runtime version, as v2-alpha-tpuv6e for v6e"
whole --restarts "$restarts" 0
if [ "${verb[0]}" = study ]; then worker_arguments "$@"; else training_arguments "$@"; fi
tool gcloud "see cloud.google.com/sdk/docs/install, and run gcloud auth login"
gcloud_flags+=("--zone=$zone")

tpus() { # tpus GROUP VERB ...
    step gcloud compute tpus "$@" "${gcloud_flags[@]}"
}

on_hosts() { # on_hosts all|0 COMMAND
    tpus tpu-vm ssh "$name" "--worker=$1" "--command=$2"
}

host_does() { # host_does all|0 VERB ...: launch/tpu_host.sh there
    on_hosts "$1" "bash slm_jax/launch/tpu_host.sh $(quoted "${@:2}")"
}

# Of the TPU VM or the queued resource: READY, ACTIVE, SUSPENDED, ...; none; or unreachable, when gcloud fails.
state() { # state tpu-vm|queued-resources FIELD
    local found
    found=$(tpus "$1" list "--filter=name~(^|/)$name\$" "--format=value($2)" 2>/dev/null) || found=unreachable
    echo "${found:-none}"
}

# What the first host says of the run: going, its exit code, none; or unreachable, or what the slice is instead.
look() {
    local found
    found=$(state tpu-vm state)
    if [ "$found" = READY ]; then
        found=$(on_hosts 0 "if [ -d slm_jax ]; then bash slm_jax/launch/tpu_host.sh look; else echo none; fi" \
            2>/dev/null) || found=unreachable
    fi
    echo "$found"
}

pause() {
    echo "tpu_pod.sh: $*; looking again in ${POLL_SECONDS:-30} s" >&2
    sleep "${POLL_SECONDS:-30}"
}

request_slice() {
    tpus queued-resources create "$name" "--node-id=$name" "--accelerator-type=$type" \
        "--runtime-version=$version" ${create_flags[@]+"${create_flags[@]}"}
}

# Waits for the slice; asks for one where none is on its way, also in place of a preempted one.
ensure_slice() {
    local slice queue
    while slice=$(state tpu-vm state) && [ "$slice" != READY ]; do
        if [ -z "$type" ] && [ "$slice" != unreachable ]; then
            fail "TPU VM $name in $zone is $slice; give --type and --version to ask for one"
        fi
        queue=$(state queued-resources state.state)
        case $queue in
            none) request_slice ;;
            SUSPENDED)
                tpus queued-resources delete "$name" --force --quiet
                request_slice
                ;;
            FAILED) fail "queued resource $name failed; gcloud compute tpus queued-resources describe $name says why" ;;
            *) pause "TPU VM $name is $slice, queued resource $queue" ;;
        esac
    done
}

# Files that git tracks or does not ignore, as they are now, to slm_jax/ on every host; then what they need.
prepare_hosts() {
    local archive=${TMPDIR:-/tmp}/slm_jax-$name.tar.gz
    step bash -c "git ls-files -z --cached --others --exclude-standard | tar --null -T - -czf $(quoted "$archive")" &&
        tpus tpu-vm scp "$archive" "$name:slm_jax.tar.gz" --worker=all &&
        on_hosts all "mkdir -p slm_jax && tar -xzf slm_jax.tar.gz -C slm_jax" &&
        host_does all install &&
        { [ -z "$bucket" ] || host_does all mount "$bucket"; } &&
        { [ -z "$setup" ] || on_hosts all "$setup"; }
}

# Shows the output until the run has ended, over broken connections too; then sets `outcome`.
follow_run() {
    while host_does 0 follow || true; outcome=$(look); do
        case $outcome in
            going | unreachable) pause "the connection to $name ended, the run is $outcome" ;;
            *) return ;;
        esac
    done
}

if [ -n "$DRY_RUN" ]; then
    request_slice
    state queued-resources state.state
    prepare_hosts
    host_does all start "${verb[@]}" --distributed "$@"
    host_does 0 follow
    host_does 0 look
    exit
fi
outcome=$(look)
[ "$outcome" != unreachable ] || fail "gcloud cannot list or reach $name in $zone; try gcloud auth login"
for ((attempt = 0; ; attempt++)); do
    if [ "$outcome" != going ]; then
        ensure_slice
        outcome="could not be started"
        if prepare_hosts && host_does all start "${verb[@]}" --distributed "$@"; then outcome=going; fi
    fi
    [ "$outcome" != going ] || follow_run
    case $outcome in 0 | 2) exit "$outcome" ;; esac # 2: it would end alike
    if [ "$attempt" -ge "$restarts" ]; then
        echo "tpu_pod.sh: the run ended: $outcome; no restart is left of $restarts" >&2
        exit 1
    fi
    echo "tpu_pod.sh: the run ended: $outcome; restart $((attempt + 1)) of $restarts" >&2
done

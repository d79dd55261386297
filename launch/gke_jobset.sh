#!/usr/bin/env bash
# Trains on a node pool of a Kubernetes cluster that has the JobSet controller: launch/gke_jobset.yaml, filled in.
#
#   bash launch/gke_jobset.sh --name first --image REGISTRY/slm_jax --claim shared --hosts 2 \
#       --gpu nvidia-h100-80gb --devices 8 -- \
#       --config=configs/budgets/1e19.py:309M --config.data.path=/shared/units --workdir=/shared/runs/309M
#   ... --hosts 8 --tpu tpu-v6e-slice --topology 4x8 --devices 4 -- ...
#
#   --name NAME       of the JobSet
#   --image IMAGE     a container with slm_jax installed, its working directory the checkout (launch/Dockerfile)
#   --claim NAME      a PersistentVolumeClaim that all hosts may write to; it is mounted at /shared
#   --hosts N         hosts, one process each (default 1)
#   --devices N       GPUs or TPU chips of a host
#   --gpu TYPE        as GKE calls it (label cloud.google.com/gke-accelerator)
#   --tpu TYPE        as GKE calls it (label cloud.google.com/gke-tpu-accelerator), with
#   --topology AxB    of the slice
#   --study STAGE     a stage of a study instead of a run: prepare, train or report, in this order
#   --workers N       of the stage train: pods of one host each (default 1), which share the runs
#   --restarts N      after a failure or preemption start all hosts, or that worker, again, at most N times (default 10)
#   --namespace NAME  (default: kubectl's)
#   --dry-run         print the filled-in file and the commands, run nothing
#
# What follows -- goes to `slm train`, or `slm study STAGE`. A restart goes on from the newest checkpoint.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/steps.sh

name='' image='' claim='' hosts=1 devices='' kind='' accelerator='' topology='' restarts=10 stage='' workers=1
kubectl=(kubectl)
while [ $# -gt 0 ]; do
    case $1 in
        --name) need "$@"; name=$2; shift 2 ;;
        --image) need "$@"; image=$2; shift 2 ;;
        --claim) need "$@"; claim=$2; shift 2 ;;
        --hosts) need "$@"; hosts=$2; shift 2 ;;
        --devices) need "$@"; devices=$2; shift 2 ;;
        --gpu | --tpu) need "$@"; kind="$kind${1#--}" accelerator=$2; shift 2 ;;
        --topology) need "$@"; topology=$2; shift 2 ;;
        --study) need "$@"; stage=$2; shift 2 ;;
        --workers) need "$@"; workers=$2; shift 2 ;;
        --restarts) need "$@"; restarts=$2; shift 2 ;;
        --namespace) need "$@"; kubectl+=(--namespace "$2"); shift 2 ;;
        --dry-run) DRY_RUN=yes; shift ;;
        --help) help ;;
        --) shift; break ;;
        *) fail "there is no option $1; see --help" ;;
    esac
done
case $name in "" | *[!a-z0-9-]* | -* | *-) fail "--name is '$name': give lower-case letters, digits and dashes" ;; esac
[ -n "$image" ] || fail "give --image: a container with slm_jax installed, as launch/Dockerfile makes"
[ -n "$claim" ] || fail "give --claim: a PersistentVolumeClaim for data and checkpoints that all hosts may write to"
case $kind in
    gpu) [ -z "$topology" ] || fail "--topology is for --tpu" ;;
    tpu) case $topology in [1-9]*x*[0-9]) ;; *) fail "--topology is '$topology': give the slice's, as 4x8" ;; esac ;;
    *) fail "give one of --gpu TYPE and --tpu TYPE" ;;
esac
whole --hosts "$hosts" 1
whole --devices "$devices" 1
whole --restarts "$restarts" 0
whole --workers "$workers" 1
retries=0
case $stage in
    "") command=(slm train --distributed); training_arguments "$@" ;;
    prepare) command=(slm study prepare); training_arguments "$@" ;;
    train | report) command=(slm study "$stage"); worker_arguments "$@" ;;
    *) fail "--study is '$stage': choose prepare, train or report" ;;
esac
[ "$workers" -eq 1 ] || [ "$stage" = train ] || fail "--workers is for --study train"
if [ -n "$stage" ]; then
    [ "$hosts" -eq 1 ] || fail "--hosts is $hosts: a worker of a study has one host; give --workers"
    hosts=$workers retries=$((restarts * workers))  # Kubernetes counts those of all workers together
fi
tool kubectl "see kubernetes.io/docs/tasks/tools, and get the cluster's credentials"

# The words as a JSON list, which is YAML too.
json_list() {
    local word list=''
    for word in "$@"; do
        word=${word//\\/\\\\}
        list="$list, \"${word//\"/\\\"}\""
    done
    printf '[%s]' "${list#, }"
}

jobset() {
    local other=gpu text
    [ "$kind" = tpu ] || other=tpu
    text=$(sed "/ #$other\$/d; s/ #$kind\$//" launch/gke_jobset.yaml)
    text=${text//@NAME@/"$name"}
    text=${text//@RESTARTS@/"$restarts"}
    text=${text//@HOSTS@/"$hosts"}
    text=${text//@RETRIES@/"$retries"}
    text=${text//@DEVICES@/"$devices"}
    text=${text//@ACCELERATOR@/"$accelerator"}
    text=${text//@TOPOLOGY@/"$topology"}
    text=${text//@IMAGE@/"$image"}
    text=${text//@CLAIM@/"$claim"}
    text=${text//@COMMAND@/"$(json_list "${command[@]}" "$@")"}
    printf '%s\n' "$text"
}

if [ -n "$DRY_RUN" ]; then
    jobset "$@"
    echo "---"
    step "${kubectl[@]}" apply --filename=-
else
    jobset "$@" | "${kubectl[@]}" apply --filename=-
fi
first_pod="--selector=jobset.sigs.k8s.io/jobset-name=$name,batch.kubernetes.io/job-completion-index=0"
echo "# How it goes:  $(quoted "${kubectl[@]}" get jobset "$name")"
echo "# Its output:   $(quoted "${kubectl[@]}" logs --follow --tail=-1 "$first_pod")"
echo "# To end it:    $(quoted "${kubectl[@]}" delete jobset "$name")"

#!/usr/bin/env bash
# Submits a training run to SLURM: one process a GPU (the default) or a node, on one or many nodes.
#
#   bash launch/gpu_slurm.sh --nodes 2 --gpus 8 --time 12:00:00 --jobs 3 -- \
#       --config=configs/budgets/1e19.py:309M --config.data.path=/shared/units --workdir=/shared/runs/309M
#
#   bash launch/gpu_slurm.sh --study 16 --gpus 1 --time 24:00:00 -- \
#       --config=configs/studies/paper_gpu.py --workdir=/shared/runs/paper
#
#   --nodes N         how many nodes (default 1)
#   --gpus N          GPUs of each node (default 8)
#   --study N         a study instead of a run: a job that prepares it, N workers with the nodes and GPUs above each
#                     (an array of jobs), and a job that reports when all have ended
#   --per gpu|node    one process a GPU, or one a node that sees all its GPUs (mesh.tensor needs the latter)
#   --time LIMIT      of a job, as sbatch takes it (default: the partition's)
#   --sbatch OPTION   any other option of sbatch without its dashes, as partition=gpu; may be given several times
#   --jobs N          so many jobs (of a study, arrays), one after the other: each goes on where the one before was
#                     ended (default 1)
#   --name NAME       of the jobs (default slm_jax); of jobs with one name only one runs at a time
#   --logs DIR        where JOB.log goes (default runs/slurm)
#   --dry-run         print the commands and run nothing
#
# What follows -- goes to `slm train`, or `slm study prepare`. Run it from a checkout that all nodes see; the
# environment is made in .venv once. A preempted job is queued again and goes on from its newest checkpoint; two minutes
# before its time is over a job gets SIGTERM, saves, and ends with 143: it is FAILED for SLURM, as the run is not done.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/steps.sh
source launch/environment.sh

nodes=1 gpus=8 per=gpu jobs=1 name=slm_jax logs=runs/slurm workers=''
options=(--requeue --open-mode=append --signal=TERM@120) # to the processes, not to the script around them
while [ $# -gt 0 ]; do
    case $1 in
        --nodes) need "$@"; nodes=$2; shift 2 ;;
        --gpus) need "$@"; gpus=$2; shift 2 ;;
        --study) need "$@"; workers=$2; shift 2 ;;
        --per) need "$@"; per=$2; shift 2 ;;
        --time) need "$@"; options+=("--time=$2"); shift 2 ;;
        --sbatch) need "$@"; options+=("--$2"); shift 2 ;;
        --jobs) need "$@"; jobs=$2; shift 2 ;;
        --name) need "$@"; name=$2; shift 2 ;;
        --logs) need "$@"; logs=$2; shift 2 ;;
        --dry-run) DRY_RUN=yes; shift ;;
        --help) help ;;
        --) shift; break ;;
        *) fail "there is no option $1; see --help" ;;
    esac
done
whole --nodes "$nodes" 1
whole --gpus "$gpus" 1
whole --jobs "$jobs" 1
[ -z "$workers" ] || whole --study "$workers" 1
training_arguments "$@"
tool sbatch "run this on a login node of a SLURM cluster"

case $per in
    gpu) tasks=$gpus devices=() ;; # JAX gives each process the GPU of its place on the node
    # ... which for a lone process would be the first GPU only.
    node) tasks=1 devices=(env "JAX_LOCAL_DEVICE_IDS=$(seq -s , 0 $((gpus - 1)))") ;;
    *) fail "--per is '$per': choose gpu or node" ;;
esac
slm=(srun --kill-on-bad-exit=1 "$PWD/.venv/bin/slm")
all_nodes=("--nodes=$nodes" "--ntasks-per-node=$tasks")
one_process=(--nodes=1 --ntasks-per-node=1)

# submit NAME OPTION... -- COMMAND...: a job; sets `id` to its number.
submit() {
    local words=("--job-name=$1" "--gpus-per-node=$gpus")
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    words+=("${options[@]}" --parsable --wrap "exec $(quoted bash "$PWD/launch/slurm_job.sh" "${@:2}")")
    if [ -n "$DRY_RUN" ]; then
        step sbatch "${words[@]}"
        id=JOB
    else
        id=$(sbatch "${words[@]}")
        id=${id%%;*} # of several clusters the name follows
        echo "job $id: ${words[0]#--job-name=}"
    fi
}

[ -x .venv/bin/slm ] || step make_environment .venv gpu
step mkdir -p "$logs"
if [ -z "$workers" ]; then
    for ((job = 0; job < jobs; job++)); do # singleton: of one name and user, one job runs at a time
        submit "$name" "${all_nodes[@]}" --dependency=singleton "--output=$logs/%j.log" -- \
            ${devices[@]+"${devices[@]}"} "${slm[@]}" train --distributed "$@"
    done
    exit
fi
for word in "$@"; do
    case $word in --workdir=*) folder=$word ;; esac
done
submit "$name-prepare" "${one_process[@]}" "--output=$logs/%j.log" -- "${slm[@]}" study prepare "$@"
after=afterok:$id
for ((job = 0; job < jobs; job++)); do
    submit "$name" "${all_nodes[@]}" "--array=1-$workers" "--dependency=$after" --kill-on-invalid-dep=yes \
        "--output=$logs/%A-%a.log" -- \
        ${devices[@]+"${devices[@]}"} "${slm[@]}" study train --distributed "$folder"
    after=afterany:$id
done
submit "$name-report" "${one_process[@]}" "--dependency=$after" "--output=$logs/%j.log" -- "${slm[@]}" study report "$folder"

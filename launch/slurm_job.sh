#!/usr/bin/env bash
# What a job of launch/gpu_slurm.sh runs: bash launch/slurm_job.sh COMMAND ... SLURM takes a preempted job that ends
# within its grace time for one that is done, so a job that was not done puts itself back into the queue here.
set -euo pipefail

export SLM_JAX_PREEMPTED_EXIT=143 # as of a process that SIGTERM ended
code=0
"$@" || code=$?
case $code in 0 | 2) exit "$code" ;; esac # done; what would end alike

# A job of an array goes by its place there: the plain number of one of them means the whole array.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}
case $(scontrol show job "$job") in
    *" PreemptTime="[!N]*) scontrol requeue "$job" ;; # None at a time limit
esac
exit "$code"

#!/usr/bin/env bash
# One shard of a run, as a task of an array: task 3 of 16 does shard 3/16.
#
#     sbatch --array=1-16 examples/slurm/array.sh MODEL PICTURES OUTPUT [OPTION...]
#
# OUTPUT is on a file system that all nodes share. submit.sh beside this file submits the array, and the job that merges.
# To do a task again, use `scontrol requeue JOB_TASK`: an array of fewer tasks would split the pictures in another way.
#SBATCH --job-name=yolo-cam
#SBATCH --array=1-16
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
# When a node is lost or the task is preempted, Slurm starts it again; its log goes on.
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the time is up, Slurm sends USR1 to this script alone.
#SBATCH --signal=B:USR1@120
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: sbatch [OPTION OF SBATCH...] $0 MODEL PICTURES OUTPUT [OPTION...]" >&2
    exit 2
fi

# Goes on where a task that was stopped or killed has left off.
"${YOLO_CAM:-yolo-cam}" --model-path "$1" --img-path "$2" --output-dir "$3" --shard auto --skip-existing \
    --report html,csv,json --threads "${SLURM_CPUS_PER_TASK:-1}" --quiet "${@:4}" &
program=$!

# TERM makes the program finish its picture and exit 143. Of a task that is cancelled or preempted, Slurm sends it to the program too.
trap : TERM
again=no
trap 'again=yes; kill -TERM "$program"; echo "the time is nearly up: stopping"' USR1
# A signal ends `wait` before the program has ended.
while kill -0 "$program" 2>/dev/null; do wait "$program" || true; done
code=0
wait "$program" || code=$?

if [ "$code" = 143 ] && [ "$again" = yes ]; then
    echo "back into the queue, to go on there"
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
else
    echo "ended with exit code $code"
fi
exit "$code"

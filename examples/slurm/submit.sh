#!/usr/bin/env bash
# Explains pictures on a Slurm cluster: an array of SHARDS tasks, and after it a job that merges them into one report.
#
#     examples/slurm/submit.sh SHARDS MODEL PICTURES OUTPUT [OPTION...]
#
# The options are yolo-cam's. sbatch takes its own from the environment: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT.
# After a failure call it again with the same arguments: it goes on where the shards were.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: $0 SHARDS MODEL PICTURES OUTPUT [OPTION...]" >&2
    exit 2
fi
here=$(cd -- "$(dirname -- "$0")" && pwd)

# --parsable prints JOB, or JOB;CLUSTER.
array=$(sbatch --parsable --array="1-$1" "$here/array.sh" "${@:2}")
# Not afterok: a shard with a broken picture exits 1, and belongs into the report. If a shard is missing, merge says so.
merge=$(sbatch --parsable --dependency="afterany:${array%%;*}" "$here/merge.sh" "$4")
echo "job ${array%%;*} explains in $1 shards; job ${merge%%;*} merges them in $4"

#!/usr/bin/env bash
# Joins the shards in a folder into one report.
#
#     sbatch --dependency=afterany:ARRAY examples/slurm/merge.sh OUTPUT [OPTION...]
#SBATCH --job-name=yolo-cam-merge
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

if [ $# -lt 1 ]; then
    echo "usage: sbatch [OPTION OF SBATCH...] $0 OUTPUT [OPTION...]" >&2
    exit 2
fi

exec "${YOLO_CAM:-yolo-cam}" merge "$1" --report html,csv,json "${@:2}"

#!/usr/bin/env bash
# Explains pictures with GNU parallel, a shard on each core at a time, and merges the shards into one report.
#
#     examples/parallel/run.sh SHARDS MODEL PICTURES OUTPUT [OPTION...]
#
# parallel takes its own options from the environment: PARALLEL='--jobs 4' runs four shards at a time, and
# PARALLEL='--sshloginfile hosts --workdir .' runs them on machines that share this folder.
# After a failure call it again with the same arguments: it goes on where the shards were.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: $0 SHARDS MODEL PICTURES OUTPUT [OPTION...]" >&2
    exit 2
fi
yolo_cam=${YOLO_CAM:-yolo-cam}

# --quote keeps the arguments as they are, spaces included. parallel's exit code counts the shards that failed: those with a broken
# picture belong into the report, and those that are missing are named by merge.
seq "$1" | parallel --quote --tag \
    "$yolo_cam" --model-path "$2" --img-path "$3" --output-dir "$4" --shard "{}/$1" --skip-existing \
    --report html,csv,json --threads 1 --quiet "${@:5}" || true
exec "$yolo_cam" merge "$4" --report html,csv,json

#!/usr/bin/env bash
# Counts what a model finds in pictures, and lists the pictures in which it finds nothing: from --json-lines, a line for each picture.
#
#     examples/classes.sh MODEL PICTURE...
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 MODEL PICTURE..." >&2
    exit 2
fi
yolo_cam=${YOLO_CAM:-yolo-cam}
model=$1
shift
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT

code=0
"$yolo_cam" --model-path "$model" --img-path "$@" --output-dir "$output" --json-lines --quiet >"$output/lines" || code=$?

# Each detection has one "class":"NAME"; `|| true` because grep fails where it finds nothing.
{ grep -o '"class":"[^"]*"' "$output/lines" || true; } | cut -d'"' -f4 | sort | uniq -c | sort -rn
{ grep '"detections":\[\]' "$output/lines" || true; } | sed 's/.*"image":{"path":"\([^"]*\)".*/nothing in \1/'
{ grep '"status":"failed"' "$output/lines" || true; } | sed 's/.*"image":{"path":"\([^"]*\)".*/failed: \1/'
exit "$code"

#!/usr/bin/env bash
# Explains a folder of pictures, however often it takes: goes on where it was stopped, and tells from the exit code what to do.
#
#     examples/batch.sh MODEL FOLDER OUTPUT
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: $0 MODEL FOLDER OUTPUT" >&2
    exit 2
fi
yolo_cam=${YOLO_CAM:-yolo-cam}

code=0
"$yolo_cam" --model-path "$1" --img-path "$2" --recursive --output-dir "$3" --skip-existing --report csv,html --quiet ||
    code=$?
case $code in
    0) echo "all pictures are explained; see $3/report.html" ;;
    1) echo "some pictures failed: see the column 'error' of $3/report.csv" ;;
    2) echo "nothing was explained: mend the call" ;;
    130) echo "stopped; call again to go on" ;;
    *) echo "yolo-cam ended with exit code $code" ;;
esac
exit "$code"

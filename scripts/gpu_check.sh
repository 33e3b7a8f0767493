#!/usr/bin/env bash
# Checks and measures the program on a GPU, in one call of a few minutes. It has not been run on one yet.
#
#     OUT=FOLDER scripts/gpu_check.sh [--program PROGRAM] [--device cuda] [--small]
#
# Detections and maps on the device are compared with those on the processor; scripts/gpu_parity.py says how far apart they may be. Then it
# measures: the stages of a picture, number formats, batches of D-RISE and of eval, memory over 200 pictures. All figures go to
# FOLDER/figures.txt, the comparison to FOLDER/parity.tsv, what the program said to FOLDER/log.txt. A check that fails is told there,
# and the others go on; the exit code is then 1. --small does the same with few pictures, to try the script itself, with --device cpu
# anywhere. Needs bash and Python's standard library; the program must find its libtorch by itself or by LD_LIBRARY_PATH.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

program=target/release/yolo-cam device=cuda many=200 few=20 masks=1000 steps=20 batches="1 8 32 128" evaluated=images/
while [ $# -gt 0 ]; do
  case $1 in
    --program) program=${2:?--program needs a path} && shift 2 ;;
    --device) device=${2:?--device needs a name} && shift 2 ;;
    --small) many=6 few=3 masks=50 steps=4 batches="1 8" evaluated=images/dog.jpg && shift ;;
    *) echo "gpu_check: unknown flag $1" >&2 && exit 2 ;;
  esac
done
: "${OUT:?OUT names the folder for the figures}"
mkdir -p "$OUT" || exit 2
figures=$OUT/figures.txt log=$OUT/log.txt
: >"$figures"
: >"$log"
work=$(mktemp -d) || exit 2
sampler=
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  [ -z "$sampler" ] || kill "$sampler" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
failed=0

tell() { echo "$*" | tee -a "$figures"; }

fail() {
  failed=1
  tell "FAILED: $*"
}

# explain NAME ARGUMENT...: runs the program into $work/NAME, leaves what it said in $work/NAME.log and its seconds in $seconds. Nothing
# takes longer than three minutes, so that the rest gets its time too.
explain() {
  local name=$1 begun
  shift
  begun=$(date +%s.%N)
  timeout 180 "$program" "$@" --output-dir "$work/$name" >"$work/$name.log" 2>&1
  local code=$?
  seconds=$(echo "$(date +%s.%N) $begun" | awk '{printf "%.2f", $1 - $2}')
  { echo "== $name ($code): $*" && cat "$work/$name.log"; } >>"$log"
  [ $code = 0 ] || fail "$name ended with $code: $(tail -n 1 "$work/$name.log")"
  return $code
}

# memory LOG: the peak of the process, in MiB.
memory() { sed -n 's/^memory: peak \([0-9]*\) MiB.*/\1/p' "$1"; }

model=weights/yolov5s.torchscript
pictures=$work/pictures
mkdir "$pictures"
sources=(images/*.jpg images/*.png)
for ((index = 0; index < many; index++)); do
  source=${sources[index % ${#sources[@]}]}
  cp "$source" "$pictures/$(printf %03d "$index").${source##*.}"
done
mkdir "$work/few"
for ((index = 0; index < few; index++)); do
  cp "$pictures/$(printf %03d "$index")".* "$work/few/"
done

tell "program: $("$program" --version 2>&1), device $device"
if command -v nvidia-smi >/dev/null; then
  tell "card: $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader)"
fi

# Detections and maps.
printf 'what\tpicture\tclass\tconfidence\tbox\tmap\tcorrelation\tverdict\n' >"$OUT/parity.tsv"
for method in gradcam best odam eigencam d-rise; do
  flags=(--model-path "$model" --method "$method" --masks "$masks" --raw --no-config)
  # Of d-rise one picture: on the processor it takes a minute.
  if [ $method = d-rise ]; then flags+=(--img-path images/dog.jpg --top 2); else flags+=(--img-path "$work/few"); fi
  if explain "cpu-$method" "${flags[@]}" --device cpu && explain "device-$method" "${flags[@]}" --device "$device"; then
    tell "parity of $method: $(python3 scripts/gpu_parity.py "$work/cpu-$method" "$work/device-$method" "$method" "$OUT/parity.tsv")"
    [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  fi
done

# The stages of a picture: medians, without the first, which warms up.
for where in cpu "$device"; do
  if explain "stages-$where" --model-path "$model" --img-path "$work/few" --method gradcam --device "$where" --jobs 1 -v --no-config; then
    tell "stages on $where: $(sed -n 's/^time: \(decode.*\)/\1/p' "$work/stages-$where.log" | tail -n +2 | tr ',' '\n' |
      awk '{ name = $1; for (i = 2; i < NF - 1; i++) name = name " " $i; print name "\t" $(NF - 1) }' | sort -t "$(printf '\t')" -k 1,1 -k 2,2n |
      awk -F '\t' '$1 != last { show(); last = $1; n = 0 } { v[n++] = $2 } END { show() }
        function show() { if (n) printf "%s%s %.1f ms", shown++ ? ", " : "", last, v[int(n / 2)] }')"
  fi
done

# Number formats: time, and how far the maps move.
for format in f32 bf16; do
  if explain "drise-$format" --model-path "$model" --img-path images/dog.jpg --method d-rise --masks "$masks" --top 2 \
    --precision $format --device "$device" --raw --no-config; then
    tell "d-rise of $masks masks in $format: $seconds s"
  fi
done
if [ -d "$work/drise-f32" ] && [ -d "$work/drise-bf16" ]; then
  tell "bf16 beside f32: $(python3 scripts/gpu_parity.py "$work/drise-f32" "$work/drise-bf16" bf16 "$OUT/parity.tsv")"
fi

# Batches.
for batch in $batches; do
  if explain "batch-$batch" --model-path "$model" --img-path images/dog.jpg --method d-rise --masks "$masks" --top 2 --batch "$batch" \
    --device "$device" --no-config; then
    tell "d-rise of $masks masks, $batch at once: $seconds s"
  fi
  if explain "eval-$batch" eval --model-path "$model" --img-path "$evaluated" --method gradcam --steps "$steps" --batch "$batch" \
    --device "$device"; then
    tell "eval of $evaluated at $steps steps, $batch at once: $seconds s"
  fi
done

# Memory: of the process, and of the card while it runs.
for folder in few pictures; do
  if command -v nvidia-smi >/dev/null; then
    (while sleep 0.2; do nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits; done >"$work/card-$folder" 2>/dev/null) &
    sampler=$!
  fi
  if explain "memory-$folder" --model-path "$model" --img-path "$work/$folder" --method gradcam --device "$device" -v --no-config; then
    count=$(find "$work/$folder" -type f | wc -l)
    tell "$count pictures: $seconds s, peak of the process $(memory "$work/memory-$folder.log") MiB"
  fi
  if [ -n "$sampler" ]; then
    kill "$sampler" && wait "$sampler" 2>/dev/null
    sampler=
    tell "peak of the card: $(sort -n "$work/card-$folder" | tail -n 1) MiB"
  fi
done

if [ $failed = 0 ]; then tell "all checks passed"; else tell "some checks failed"; fi
exit $failed

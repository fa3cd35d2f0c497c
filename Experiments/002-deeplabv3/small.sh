#!/bin/sh
# Paper 002's batch sizes, optimizers and jitter with a small network on CamVid.
#
#   sh Experiments/002-deeplabv3/small.sh [repeats]
#
# DATA holds camvid; OUT gets the runs; what is finished there is not trained again. Scores are those
# at the end of training.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} data=${DATA:-data} out=${OUT:-runs/002-small}
repeats=${1:-3}

cell() { # run score
  grep -oh "\"$2\":[0-9][0-9.e-]*" "$out/$1"/seed-*/result.json |
    awk -F: '{ print 100 * $2 }' | awk -f "$here/../means.awk"
}
# Trains and scores a network and prints its row: title, run, repeats, then overrides.
run() {
  title=$1 name=$2 times=$3
  shift 3
  for change in "$@"; do
    set -- "$@" --set "$change"
    shift
  done
  mkdir -p "$out/$name"
  "$atrous" train "$here/small.yaml" --repeats "$times" --output "$out/$name" \
    --set data.root="$data/camvid" "$@" > "$out/$name/train.log" 2>&1
  echo "| $title | $(cell "$name" meanIoU) | $(cell "$name" meanIoUPerImage) |" \
    "$(cell "$name" pixelAccuracy) | $times |"
}
head() {
  printf '\n### %s\n\n| %s | mIoU %% | mIoU %%, mean of images | pixel accuracy %% | runs |\n' "$1" "$2"
  echo '|---|---|---|---|---|'
}

head "Batch, each image as often" "batch, iterations"
run "2, 368" batch-2-images "$repeats" train.batchSize=2 train.iterations=368
run "4, 184" base "$repeats"
run "8, 92" batch-8-images "$repeats" train.batchSize=8 train.iterations=92
head "Jitter" "colours"
run "as they are" base "$repeats"
run "jittered" jitter "$repeats" \
  "train.augmentation=[{resize: 240x180}, {centerCrop: 112x112}, {colorJitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1}}]"
head "Optimizer" "rule, learning rate"
for rule in sgd adam rmsProp; do
  for rate in 0.001 0.01; do
    name=$rule-$rate times=2 options="name: $rule"
    [ $rule = sgd ] && options="$options, momentum: 0.9"
    [ $name = adam-0.001 ] && name=base times=$repeats
    run "$rule, $rate" $name "$times" "train.optimizer={$options, learningRate: $rate}"
  done
done
head "Batch, as many iterations" "batch, iterations"
run "2, 184" batch-2 "$repeats" train.batchSize=2
run "4, 184" base "$repeats"
run "8, 184" batch-8 "$repeats" train.batchSize=8
head "Momentum of the head's normalizations" "momentum"
run "0.1" base "$repeats"
run "0.0003" momentum 2 model.head.momentum=0.0003

#!/bin/sh
# Paper 000, Tables 1 and 2, with small networks on CamVid, and each change of Table 1 alone.
#
#   sh Experiments/000-denseaspp/small.sh [repeats]
#
# DATA holds camvid; OUT gets the runs; what is finished there is not trained again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} data=${DATA:-data} out=${OUT:-runs/denseaspp}
repeats=${1:-3}
mkdir -p "$out"

head() { # dilations growth block
  echo "model.head={name: denseaspp, dilations: [$1], growth: $2, bottleneck: 64, block: $3}"
}
net() { # cut stride upsample
  echo "model.backbone={name: densenet, blocks: [2, 4, 6, 4], growth: 12, stem: 24, cut: $1," \
    "outputStride: $2, upsample: $3}"
}
other() { # what enlarges a map of stride 32 fourfold, as the paper does for networks without dilation
  echo "model.backbone={$1, outputStride: 32, upsample: 4}"
}
# What the networks of a table are: name, image, then overrides.
run() {
  name=$1 size=$2
  shift 2
  for change in "$@"; do set -- "$@" --set "$change"; shift; done
  [ -f "$out/$name/repeats.$repeats" ] || {
    "$atrous" train "$here/small.yaml" --repeats "$repeats" --output "$out/$name" \
      --set data.root="$data/camvid" --set "train.augmentation=[{resize: $size}]" \
      --set evaluate.imageSize=$size "$@" > "$out/$name.log" 2>&1
    touch "$out/$name/repeats.$repeats"
  }
  parts=$("$atrous" summary "$out/$name/seed-0" | sed -n 's/^classifier  .* \([0-9,]*\)$/\1/p')
  score=$(awk '/^mean IoU/ { print $3 " | " $4 " ± " $5 }' "$out/$name/repeats.txt")
  echo "| $name | $size | $parts | $score |"
}
title() { printf '\n### %s\n\n| network | image | parameters of the head | runs | mIoU %% |\n|---|---|---|---|---|\n' "$1"; }

title "Table 1, small"
run model-1 112x84 "$(net 2 8 1)" "$(head '3, 6, 9, 12' 16 plain)"
run model-2 112x84 "$(net 3 16 2)" "$(head '3, 6, 9, 12' 16 plain)"
run model-3 224x168 "$(net 3 16 2)" "$(head '6, 12, 18, 24' 16 plain)"
run model-4 320x240
run model-5 320x240 "$(head '3, 6, 9, 12, 18, 24' 32 bottleneck)" model.head.postNorm=true

title "One change to model-4 at a time"
run image-112 112x84
run growth-16 320x240 "$(head '3, 6, 12, 18, 24' 16 bottleneck)"
run stride-32 320x240 "$(net 4 32 4)"

title "Table 2, small"
run model-4 320x240
run deeper 320x240 model.backbone.blocks="[2, 4, 12, 8]"
run mobilenet_v3_small 320x240 "$(other 'name: mobilenet_v3_small, momentum: 0.1')"
run convnext 320x240 \
  "$(other 'name: convnext_tiny, depths: [1, 1, 3, 1], widths: [24, 48, 96, 192]')"

#!/usr/bin/env bash
# What each ingredient of the packaged network's recipe brings: trains small.yaml with one thing changed
# at a time, and prints a table. CAMVID is the folder of CamVid, WEIGHTS the file of EfficientNet-Lite0;
# SEEDS (1) is the number of runs of each row. What is finished is not trained again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-$here/../../.build/release/atrous}
camvid=${CAMVID:-data/camvid}
weights=${WEIGHTS:-weights/efficientnet-lite0-57934424.pth}
seeds=${SEEDS:-1}
out=${OUT:-runs/ingredients}
mkdir -p "$out"

row() {
  local name=$1 folder=$out/$2
  shift 2
  local settings=(--set "data.root=$camvid")
  for setting in "$@"; do settings+=(--set "$setting"); done
  "$atrous" train "$here/small.yaml" "${settings[@]}" --repeats "$seeds" --output "$folder" \
    >"$folder.log" 2>&1 || { tail -n 3 "$folder.log" >&2; exit 1; }
  printf '| %s | %s |\n' "$name" \
    "$(awk '/^mean IoU/ { print $4 " ± " $5 }' "$folder/repeats.txt")"
}

pretrained="model.backbone.weights=$weights"
random='model.backbone={name: efficientnet_lite0, outputStride: 16}'

echo '| changed | mean IoU, % |'
echo '|---|---|'
row 'nothing' recipe "$pretrained"
row 'random weights at the start' random "$random"
row 'no augmentation' plain "$pretrained" 'train.augmentation=[{resize: 240x180}]'
row 'head: DeepLabV3, no low-level branch' deeplabv3 "$pretrained" \
  'model.head={name: deeplabv3, rate: 2, channels: 64}'
row 'base rate 6' rate-6 "$pretrained" 'model.head.rate=6'
row 'constant learning rate' constant "$pretrained" 'train.schedule={name: constant}'

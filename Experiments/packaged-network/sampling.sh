#!/usr/bin/env bash
# What sampling and copy-paste bring to rare classes: trains small.yaml as it is, with train.sampling, with
# copyPaste and with both, and prints a table of the classes that are rare. CAMVID is the folder of CamVid, WEIGHTS
# the file of EfficientNet-Lite0; SEEDS (3) is the number of runs of each row, EPOCHS (12) their length. What is
# finished is not trained again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-$here/../../.build/release/atrous}
camvid=${CAMVID:-data/camvid}
weights=${WEIGHTS:-weights/efficientnet-lite0-57934424.pth}
seeds=${SEEDS:-3}
epochs=${EPOCHS:-12}
out=${OUT:-runs/sampling}
rare=(pole sign fence pedestrian bicyclist)
mkdir -p "$out"

steps='{resize: 240x180}, {randomResize: [0.6, 1.7]}, {randomCrop: 240x180}, {pad: 240x180}, {horizontalFlip: 0.5}, {colorJitter: {brightness: 0.3, contrast: 0.3, saturation: 0.3}}'
paste='{copyPaste: {classes: [pole, sign, fence, pedestrian, bicyclist], probability: 0.5}}'
plain="train.augmentation=[$steps]"
pasted="train.augmentation=[$paste, $steps]"
sampled='train.sampling={images: balanced, crops: 0.5}'

row() {
  local name=$1 folder=$out/$2
  shift 2
  local settings=(--set "data.root=$camvid" --set "model.backbone.weights=$weights" --set "train.epochs=$epochs")
  for setting in "$@"; do settings+=(--set "$setting"); done
  "$atrous" train "$here/small.yaml" "${settings[@]}" --repeats "$seeds" --output "$folder" \
    >"$folder.log" 2>&1 || { tail -n 3 "$folder.log" >&2; exit 1; }
  printf '| %s | %s |' "$name" \
    "$(awk '/^mean IoU/ { print $4 " ± " $5 }' "$folder/repeats.txt")"
  for class in "${rare[@]}"; do
    printf ' %s |' "$(awk -v class="$class" '$1 == class { print $3 " ± " $4; exit }' "$folder/repeats.txt")"
  done
  echo
}

printf '| changed | mean IoU, %% |'
printf ' %s |' "${rare[@]}"
printf '\n|---|---|'
printf -- '---|%.0s' "${rare[@]}"
echo
row 'nothing' recipe "$plain"
row 'sampling: balanced images, half of the crops' sampling "$plain" "$sampled"
row 'copy-paste' copy-paste "$pasted"
row 'both' both "$pasted" "$sampled"

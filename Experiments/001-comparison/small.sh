#!/bin/sh
# Paper 001, Tables 1 and 2, with small networks under one training and one evaluator: on CamVid, and
# on generated scenes with Cityscapes' classes.
#
#   sh Experiments/001-comparison/small.sh [repeats] [camvid|scenes]
#
# DATA holds camvid; OUT gets scenes and runs; what is finished there is not trained again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} data=${DATA:-data} out=${OUT:-runs/comparison}
repeats=${1:-3}
seeds=$(seq 0 $((repeats - 1)))
mkdir -p "$out"

cityscapes="layout: cityscapes, root: $out/scenes"
merge="{road: [road], sidewalk: [sidewalk], building: [building, wall, fence], pole: [pole],
  sign: [traffic sign, traffic light], vegetation: [vegetation, terrain], sky: [sky],
  person: [person, rider], vehicle: [car, truck, bus, train], cycle: [motorcycle, bicycle]}"

network() {
  case $1 in
  deeplabv3) ;;
  unet*)
    set -- "model.backbone={name: unet, widths: [10, 20, 40, 80, 160]}" "model.head={name: linear}" ;;
  denseaspp)
    set -- "model.backbone={name: densenet, blocks: [2, 4, 8], growth: 16, stem: 32, outputStride: 8}" \
      "model.head={name: denseaspp, dilations: [1, 2, 3, 4, 6], growth: 32, bottleneck: 64}" ;;
  esac
  [ $# = 2 ] && printf '%s\n' --set "$1" --set "$2"
  return 0
}
# Trains and scores a network: folder, network, then options.
run() {
  folder=$out/$1 net=$2
  shift 2
  IFS='
'
  # shellcheck disable=SC2046
  set -- $(network "$net") "$@"
  unset IFS
  mkdir -p "$folder"
  "$atrous" train "$here/small.yaml" --repeats "$repeats" --output "$folder" "$@" \
    > "$folder/train.log" 2>&1
  for seed in $seeds; do
    [ -d "$folder/seed-$seed/scores" ] ||
      "$atrous" evaluate "$folder/seed-$seed" --output "$folder/seed-$seed/scores" > /dev/null
  done
}
cell() { # folder row column; column 1 is a class's IoU or a score from all pixels, 2 the mean of images
  awk -v row="$2" -v column="$3" 'BEGIN { FS = "  +" } $2 == row { print $(2 + column) }' \
    "$out/$1"/seed-*/scores/evaluation.txt | awk -f "$here/../means.awk"
}
row() { # title row column folders
  title=$1 row=$2 column=$3
  shift 3
  printf '| %s |' "$title"
  for folder in "$@"; do printf ' %s |' "$(cell "$folder" "$row" "$column")"; done
  echo
}
head() { printf '\n### %s\n\n%s\n' "$1" "$2"; echo "$2" | sed 's/[^|]\{1,\}/---/g'; }
averages() {
  row "pixel accuracy" "pixel accuracy" 1 "$@"
  row "Jaccard micro" "Jaccard micro" 1 "$@"
  row "Jaccard weighted" "frequency-weighted IoU" 1 "$@"
  row "Jaccard macro" "mean IoU" 1 "$@"
  row "micro, mean of images" "Jaccard micro" 2 "$@"
  row "weighted, mean of images" "frequency-weighted IoU" 2 "$@"
  row "macro, mean of images" "mean IoU" 2 "$@"
}
classes() { # folder: the names in its table
  awk 'BEGIN { FS = "  +" } $2 == "class" { on = 1; next } on && NF < 3 { exit } on { print $2 }' \
    "$out/$1/seed-0/scores/evaluation.txt"
}
differences() { # folders, the first is what the others are compared with
  first=$1
  shift
  for folder in "$@"; do
    for seed in $seeds; do
      "$atrous" compare "$out/$first/seed-$seed/scores" "$out/$folder/seed-$seed/scores" \
        --output "$out/differences/$folder/$seed" |
        awk -v net="${folder#*-}" -v seed="$seed" 'BEGIN { FS = "  +" }
          /^points/ { on = 1 }
          on && /^(mean IoU|mean IoU per image|Jaccard micro) / {
            printf "| %s | %s | %s | %s | %s to %s |\n", net, seed, $1, $2, $3, $4 }'
    done
  done
}

on_camvid() {
  for net in deeplabv3 unet denseaspp; do run "camvid-$net" $net --set data.root="$data/camvid"; done
  set -- camvid-deeplabv3 camvid-unet camvid-denseaspp
  head "Table 1, small: IoU % on CamVid" "| class | DeepLabV3 | U-Net | DenseASPP |"
  classes camvid-unet | while read -r class; do row "$class" "$class" 1 "$@"; done
  head "Table 2, small: % on CamVid" "| average | DeepLabV3 | U-Net | DenseASPP |"
  averages "$@"
  head "Differences from DeepLabV3, points" "| network | seed | score | difference | 95 % interval |"
  differences "$@"
}
on_scenes() {
  [ -d "$out/scenes" ] ||
    "$atrous" scenes "$out/scenes" --train 300 --val 60 --size 160x120 --seed 5 > /dev/null
  for net in deeplabv3 unet denseaspp; do
    run "scenes-$net" $net --set "data={$cityscapes, classes: 19}"
  done
  run scenes-unet-10 unet --set "data={$cityscapes, merge: $merge}"
  set -- scenes-deeplabv3 scenes-unet scenes-unet-10 scenes-denseaspp
  head "Table 2, small: % on generated scenes" \
    "| average | DeepLabV3, 19 classes | U-Net, 19 | U-Net, 10 | DenseASPP, 19 |"
  averages "$@"
}
for part in ${2:-camvid scenes}; do on_$part; done

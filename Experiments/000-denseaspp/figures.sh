#!/bin/sh
# Paper 000, Figures 3 and 4, with a small network on CamVid.
#
#   sh Experiments/000-denseaspp/figures.sh
#
# DATA holds camvid; OUT gets the run and the pictures; a run that is finished there is not trained again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} data=${DATA:-data} out=${OUT:-runs/denseaspp}
run=$out/figures photo=$data/camvid/val/${PHOTO:-0016E5_07959}.png
mkdir -p "$out"
[ -f "$run/finished" ] || {
  rm -rf "$run"
  "$atrous" train "$here/small.yaml" --output "$run" --set data.root="$data/camvid" \
    --set train.iterations=300 --set "train.augmentation=[{resize: 320x240}, {horizontalFlip: 0.5}]" \
    > "$run.log" 2>&1
  touch "$run/finished"
}
for class in road car; do
  "$atrous" similarity "$run" "$photo" --class $class --output "$out/figure-3-$class.png"
done
"$atrous" ablate "$run" --set data.root="$data/camvid" --limit 20 --output "$out/figure-4"

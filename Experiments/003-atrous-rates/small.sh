#!/bin/sh
# Base rates at two crop sizes on real photographs, small enough for two cores, and their tables.
#
#   sh Experiments/003-atrous-rates/small.sh [repeats] [camvid] [chase-db1] [hrf]
#
# DATA holds camvid, chasedb1 and hrf; OUT gets the runs; what is finished there is not trained again.
# CROPS can name one of the two sizes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} data=$(cd "${DATA:-data}" && pwd) out=${OUT:-runs/rates}
repeats=${1:-3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- chase-db1 hrf camvid
mkdir -p "$out"

# 15 photographs of HRF that train and 3 that are scored.
few() {
  for kind in h dr g; do
    for number in 01 02 03 04 05 06; do
      mkdir -p "$out/hrf/images" "$out/hrf/labels"
      ln -sf "$data"/hrf/images/${number}_$kind.* "$out/hrf/images/"
      ln -sf "$data"/hrf/labels/${number}_${kind}_* "$out/hrf/labels/"
    done
  done
}

for set in "$@"; do
  rates=1,2,4,12 flips='{horizontalFlip: 0.5}, {verticalFlip: 0.5}'
  case $set in
    chase-db1) root=$data/chasedb1 ;;
    hrf) few; root=$out/hrf rates=1,2,12 ;;
    camvid) root=$data/camvid rates=1,2,5,12 flips='{horizontalFlip: 0.5}' ;;
  esac
  for crop in ${CROPS:-128 256}; do
    runs=$out/$set-$crop batch=8
    [ $crop = 128 ] || batch=4
    "$atrous" sweep "$here/small/$set.yaml" --over head.rate=$rates --repeats "$repeats" \
      --output "$runs" --set data.root="$root" --set train.batchSize=$batch \
      --set "train.augmentation=[{randomCrop: ${crop}x$crop}, $flips]" > "$runs.log" 2>&1
    # The sweep scores whole images; on vessels the paper's toolbox slides a window of the crop's size.
    [ $set = camvid ] || for run in "$runs"/*-[0-9]*/; do
      [ -f "$run/windows.json" ] || "$atrous" evaluate "$run" --window ${crop}x$crop --overlap 0 \
        --set data.root="$root" --json > "$run/part.json"
      [ -f "$run/windows.json" ] || mv "$run/part.json" "$run/windows.json"
    done
    echo "### $set, crop $crop"
    echo
    for run in "$runs"/*-[0-9]*/; do
      rate=$(basename "$run")
      for json in windows record; do
        [ ! -f "$run/$json.json" ] || sed -n 's/^ *"meanIoU" *: *\([0-9.]*\),*$/\1/p' "$run/$json.json" | tail -1 |
          sed "s/^/${rate%-*} $json /"
      done
    done | awk '
      { n[$1, $2]++; s[$1, $2] += $3; q[$1, $2] += $3 * $3; rates[$1] = 1 }
      function cell(r, how,  m, v) {
        if (!n[r, how]) return "n/a"
        if (n[r, how] == 1) return sprintf("%.2f", 100 * s[r, how])
        m = s[r, how] / n[r, how]
        v = (q[r, how] - n[r, how] * m * m) / (n[r, how] - 1)
        return sprintf("%.2f ± %.2f", 100 * m, 100 * sqrt(v > 0 ? v : 0))
      }
      END {
        print "| rate | runs | windows of the crop, mIoU % | whole images, mIoU % |"
        print "|---|---|---|---|"
        for (r = 1; r < 99; r++) if (r in rates)
          printf "| %d | %d | %s | %s |\n", r, n[r, "record"], cell(r, "windows"), cell(r, "record")
      }'
    echo
    # Windows, or whole images where no windows are scored.
    json=windows
    [ $set = camvid ] && json=record
    first=${rates%%,*}
    echo "| rate | seeds | less rate $first, paired by seed: points of mIoU, 95 % |"
    echo "|---|---|---|"
    for run in "$runs"/*-[0-9]*/; do
      name=$(basename "$run")
      [ ! -f "$run/$json.json" ] || sed -n 's/^ *"meanIoU" *: *\([0-9.]*\),*$/\1/p' "$run/$json.json" | tail -1 |
        awk -v name="$name" '{ split(name, parts, "-"); print parts[1], parts[2], 100 * $1 }'
    done | awk -v first="$first" -f "$here/../paired.awk"
    echo
  done
done

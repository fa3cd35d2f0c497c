#!/bin/sh
# Which rate is best where it is known how far a pixel's class looks: rates by crops by distances, and the tables.
#
#   sh Experiments/003-atrous-rates/distance.sh [repeats]
#
# OUT gets pictures and runs; what is finished there is not trained again. DISTANCES, CROPS and RATES choose.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
atrous=${ATROUS:-.build/release/atrous} out=${OUT:-runs/distance} repeats=${1:-30}
rates=${RATES:-1,2,3,4,6,8,12}
mkdir -p "$out"

for distance in ${DISTANCES:-24 48}; do
  data=$out/pictures-$distance
  "$atrous" scenes "$data" --distance "$distance" --size 352x352 --train 48 --val 12 > /dev/null
  for crop in ${CROPS:-80 128 176}; do
    runs=$out/$distance-$crop
    "$atrous" sweep "$here/distance.yaml" --over head.rate="$rates" --repeats "$repeats" --output "$runs" \
      --set data.train.images="$data/images/train" --set data.train.labels="$data/labels/train" \
      --set data.val.images="$data/images/val" --set data.val.labels="$data/labels/val" \
      --set "train.augmentation=[{randomCrop: ${crop}x$crop}, {horizontalFlip: 0.5}, {verticalFlip: 0.5}]" \
      --set evaluate.window=${crop}x$crop > "$runs.log" 2>&1
    echo "### distance $distance, crop $crop"
    echo
    echo "Rates that have a tap there (r, 2r or 3r of 4 pixels each): $(
      for r in $(echo "$rates" | tr , ' '); do
        for k in 1 2 3; do [ $((4 * k * r)) -ne "$distance" ] || printf '%s ' "$r"; done
      done). The rule: $(awk "BEGIN { printf \"%.2f\", ($crop - 32) / 24 }")."
    echo
    # 95 % intervals of means, by Student's t.
    for run in "$runs"/*-[0-9]*/; do
      rate=$(basename "$run")
      sed -n 's/^ *"pixelAccuracy" *: *\([0-9.]*\),*$/\1/p' "$run/record.json" | tail -1 | sed "s/^/${rate%-*} /"
    done | awk -v rates="$rates" '
      { n[$1]++; s[$1] += $2; q[$1] += $2 * $2 }
      function t(d) { return 1.96 + 2.4 / d + 2.8 / (d * d) }
      END {
        print "| rate | runs | pixel accuracy % | 95 % interval |"
        print "|---|---|---|---|"
        count = split(rates, list, ",")
        for (i = 1; i <= count; i++) {
          r = list[i]; if (!n[r]) continue
          m = s[r] / n[r]; v = n[r] > 1 ? (q[r] - n[r] * m * m) / (n[r] - 1) : 0
          h = n[r] > 1 ? t(n[r] - 1) * sqrt(v / n[r]) : 0
          printf "| %d | %d | %.2f | %.2f to %.2f |\n", r, n[r], 100 * m, 100 * (m - h), 100 * (m + h)
        }
      }'
    echo
  done
done

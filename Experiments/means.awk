# Mean ± standard deviation over repeats of a row of the table that train and evaluate print, for the
# tables of small.sh:
#
#   awk -v row="mean IoU" -v column=1 -f means.awk run/seed-*/scores/evaluation.txt
#
# Column 1 is a class's IoU or a score from all pixels, 2 a score averaged over images.
BEGIN { FS = "  +" }
$2 == row { n += 1; sum += $(2 + column); squares += $(2 + column) ^ 2 }
END {
  if (!n) { print "n/a"; exit }
  mean = sum / n
  spread = n > 1 ? (squares - n * mean ^ 2) / (n - 1) : 0
  printf "%.2f ± %.2f", mean, spread > 0 ? sqrt(spread) : 0
}

# Mean ± standard deviation of numbers, one a line, for the tables of small.sh.
{ n += 1; sum += $1; squares += $1 ^ 2 }
END {
  if (!n) { print "n/a"; exit }
  mean = sum / n
  spread = n > 1 ? (squares - n * mean ^ 2) / (n - 1) : 0
  printf "%.2f ± %.2f", mean, (spread > 0 ? sqrt(spread) : 0)
}

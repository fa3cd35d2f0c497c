# The mean difference of each setting from a first one, paired by seed, with its 95 % interval (Student's t), as rows
# of a table. Lines are "setting seed number"; -v first=SETTING names the one that others are compared with.
BEGIN {
  split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 2.120 " \
    "2.110 2.101 2.093 2.086 2.080 2.074 2.069 2.064 2.060 2.056 2.052 2.048 2.045", quantiles, " ")
}
{ value[$1, $2] = $3; settings[$1] = 1; seeds[$2] = 1 }
END {
  for (setting = 1; setting < 99; setting++) {
    if (!(setting in settings) || setting == first) continue
    n = sum = squares = 0
    for (seed in seeds) {
      if (!((setting, seed) in value) || !((first, seed) in value)) continue
      difference = value[setting, seed] - value[first, seed]
      n++
      sum += difference
      squares += difference ^ 2
    }
    if (n < 2) continue
    mean = sum / n
    spread = (squares - n * mean ^ 2) / (n - 1)
    t = n - 1 in quantiles ? quantiles[n - 1] : 1.96
    half = t * sqrt((spread > 0 ? spread : 0) / n)
    printf "| %s | %d | %+.2f (%+.2f to %+.2f) |\n", setting, n, mean, mean - half, mean + half
  }
}

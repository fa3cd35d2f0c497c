#!/usr/bin/env bash
# Opens and reads mutated files of every container of weights, in the tests' process: COUNT of each (10000), and prints how
# many opened, how many were refused, and the most memory that the process had. Ends with 0 if nothing crashed.
#
#   Benchmarks/fuzz/checkpoints.sh [COUNT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ATROUS_FUZZ="${1:-10000}" swift test --disable-xctest --filter 'CheckpointsTests.FuzzTests'

#!/usr/bin/env bash
# Opens and reads mutated files of every container of weights, and what they say of their networks (config.json,
# preprocessor_config.json, MMSegmentation's meta), in the tests' process: COUNT of each (10000), and prints how many
# containers opened, how many were refused, and the most memory that the process had. Ends with 0 if nothing crashed.
#
#   Benchmarks/fuzz/checkpoints.sh [COUNT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ATROUS_FUZZ="${1:-10000}" swift test --disable-xctest --filter 'CheckpointsTests.FuzzTests|CommandTests.DescriptionFuzzTests'

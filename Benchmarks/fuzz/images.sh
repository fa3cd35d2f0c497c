#!/usr/bin/env bash
# Reads mutated pictures of every format, and images of any bands by windows, in the tests' process: COUNT of each file
# (10000). Ends with 0 if nothing crashed and every refusal names its file.
#
#   Benchmarks/fuzz/images.sh [COUNT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ATROUS_FUZZ="${1:-10000}" swift test --disable-xctest --filter 'ImagingTests.DamageTests|ImagingTests.DamagedRasterTests'

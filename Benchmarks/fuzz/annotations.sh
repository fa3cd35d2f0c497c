#!/usr/bin/env bash
# Reads mutated files of every annotation tool and draws their masks, in the tests' process: COUNT of each export (10000).
# Ends with 0 if nothing crashed and every refusal names its file.
#
#   Benchmarks/fuzz/annotations.sh [COUNT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ATROUS_FUZZ="${1:-10000}" swift test --disable-xctest --filter 'AnnotationsTests.HostileTests'

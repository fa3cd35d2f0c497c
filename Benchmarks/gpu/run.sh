#!/usr/bin/env bash
# Measures Atrous on a machine with an NVIDIA GPU and PyTorch 2.11.0 for CUDA, without Swift.
#
#   Benchmarks/gpu/run.sh [OPTIONS]     where a bundle was unpacked, or in the repository; options of measure.py
#
# Atrous runs with the libtorch of the Python that is found: PYTHON, or python3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}

fail() {
  printf 'gpu: %s\n' "$*" >&2
  exit 1
}
torch=$("$python" -c 'import torch; print(torch.__path__[0])' 2>/dev/null) ||
  fail "$python has no torch, expected 2.11.0; PYTHON=… names another."
version=$("$python" -c 'import torch; print(torch.__version__)')
[ "${version%%+*}" = 2.11.0 ] || fail "torch is $version, expected 2.11.0."
device=cuda
for word in "$@"; do
  [ "${last:-}" = --device ] && device=$word
  case $word in --device=*) device=${word#--device=} ;; esac
  last=$word
done
if [ "$device" != cpu ]; then
  "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
    fail "no GPU answers to torch $version; --device cpu --size 96x64 tries the script without one."
fi
atrous=$root/.build/release/atrous
if [ -x "$root/bundle/atrous" ]; then
  atrous=$root/bundle/atrous
  # What the bundle has not; what it has the program finds by itself, so that PyTorch takes the system's.
  export LD_LIBRARY_PATH=$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
exec "$python" "$here/measure.py" --atrous "$atrous" "$@"

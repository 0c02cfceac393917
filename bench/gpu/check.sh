#!/usr/bin/env bash
# Checks a GPU with what is in this folder: unpacks it into a temporary folder and runs bench/gpu/check.mjs. It needs python3 with
# PyTorch, a C++ compiler and, for a GPU, CUDA's headers; neither Node.js nor npm nor a network.
#
#     ./check.sh [--device cuda|cpu] [--only STEP,...] [--seconds 480] [--small] [--patience 1] [--addon FOLDER]
#
# Each result is a JSON line; a table and a verdict follow. $OUT names a folder that gets them and the logs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unpacked=$(mktemp -d "${TMPDIR:-/tmp}/fourfold-gpu-XXXXXX")
"${PYTHON:-python3}" -c '
import sys, tarfile
with tarfile.open(sys.argv[1]) as project:
    project.extractall(sys.argv[2])
' "$here/project.tar.gz" "$unpacked"
# It removes the folder when it ends.
FOURFOLD_CHECK_UNPACKED=$unpacked exec "$unpacked/bin/node" "$unpacked/bench/gpu/check.mjs" "$@"

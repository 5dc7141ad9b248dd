#!/bin/sh
# Pins every set with hashes. dev.in holds everything, so it is resolved first and the rest follow its versions.
set -eu
cd "$(dirname "$0")"
UV="${UV:-../.venv/bin/uv}"
compile() {
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --no-annotate "$@"
}
compile dev.in -o dev.txt
for set in run ingest analyze api console digest sweep deadletter local cli model long_job; do
    compile "$set.in" -c dev.txt -o "$set.txt"
done
compile long_job-gpu.in -c dev.txt --override long_job-gpu-override.txt -o long_job-gpu.txt
compile --no-deps weights.in -o weights.txt
compile accuracy.in -o accuracy.txt
compile bench.in --override bench-without-torch.txt -o bench.txt
compile bench-ingest.in -o bench-ingest.txt
compile bench-tables.in -o bench-tables.txt
compile bench-ocr.in -o bench-ocr.txt
compile audit.in -o audit.txt
compile checkov.in -o checkov.txt

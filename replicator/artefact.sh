#!/usr/bin/env bash
# Builds what AWS Lambda runs: one small `bootstrap` for all functions, against the glibc of Amazon Linux 2023 (2.34), zipped.
#
#   replicator/artefact.sh [x86_64] [aarch64]      both without arguments
#
# cargo-zigbuild and zig come from PyPI. An architecture whose standard library is not installed is said to be skipped, and is
# an error if it was asked for by name; `rustup target add aarch64-unknown-linux-gnu` installs it.
set -euo pipefail
cd "$(dirname "$0")/.."

SIZE_BYTES_MAX=$((10 * 1024 * 1024))
venv=target/tools/zig
[ -x "$venv/bin/cargo-zigbuild" ] || {
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q 'cargo-zigbuild==0.24.0' 'ziglang==0.17.1'
}
export PATH="$PWD/$venv/bin:$PATH"

is_named=$#
[ $# -gt 0 ] || set -- x86_64 aarch64
for arch in "$@"; do
  triple=$arch-unknown-linux-gnu
  if [ ! -d "$(rustc --print target-libdir --target "$triple")" ]; then
    echo "SKIPPED: $arch: its standard library is not installed: rustup target add $triple" >&2
    [ "$is_named" -eq 0 ] || exit 1
    continue
  fi
  cargo-zigbuild zigbuild --profile artefact -p replicator --bin bootstrap --target "$triple.2.34"
  zip=target/artefact/replicator-$arch.zip
  mkdir -p target/artefact
  rm -f "$zip"
  python3 - "$zip" "target/$triple/artefact/bootstrap" <<'PYTHON'
import sys, zipfile
entry = zipfile.ZipInfo("bootstrap")
entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
with zipfile.ZipFile(sys.argv[1], "w", compresslevel=9) as zip:
    zip.writestr(entry, open(sys.argv[2], "rb").read(), compresslevel=9)
PYTHON
  bytes=$(stat -c %s "$zip")
  glibc=$(objdump -T "target/$triple/artefact/bootstrap" 2>/dev/null | grep -o 'GLIBC_2\.[0-9]*' | sort -Vu | tail -1 || true)
  echo "$zip: $bytes bytes of $SIZE_BYTES_MAX, needs ${glibc:-glibc unknown}"
  [ "$bytes" -le "$SIZE_BYTES_MAX" ] || { echo "$zip is too large" >&2; exit 1; }
done

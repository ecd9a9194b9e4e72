#!/usr/bin/env bash
# Makes the package of this version and says what is in it: `npm run release [folder]`.
# The same sources and the same lockfile make the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "$(git status --porcelain)" ]; then
  echo 'release: commit first: a package is made of what is committed' >&2
  exit 2
fi

folder=${1:-.}
mkdir -p "$folder"
tarball=$folder/$(npm pack --silent --pack-destination "$folder" | tail -1)

echo
tar -tvzf "$tarball" | awk '{ printf "%10d  %s\n", $3, substr($6, length("package/") + 1) }' | sort -k2
echo
printf '%10d  %s, of commit %s\n' "$(wc -c < "$tarball")" "$tarball" "$(git rev-parse HEAD)"
sha256sum "$tarball"

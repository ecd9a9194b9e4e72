# What the tests share: a mirror with everything a machine downloads, signed with keys made here.

setup_suite() {
  export REPO MIRROR
  REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  MIRROR=$BATS_SUITE_TMPDIR/mirror
  mkdir -p "$MIRROR/nomad/2.0.5" "$MIRROR/node/v26.10.0" "$MIRROR/docker/debian" "$MIRROR/docker/centos"
  make_keys
  make_nodejs
  make_caravan
  make_nomad
}

make_keys() {
  local name
  export GNUPGHOME=$BATS_SUITE_TMPDIR/gnupg
  mkdir -m 700 "$GNUPGHOME"
  for name in vendor stranger; do
    gpg --batch --quiet --passphrase '' --quick-gen-key "$name <$name@example.org>" ed25519 sign never
    gpg --batch --armor --export "$name@example.org" > "$MIRROR/$name.asc"
    gpg --batch --with-colons --list-keys "$name@example.org" | awk -F: '/^fpr/ {print $10; exit}' > "$MIRROR/$name.fpr"
  done
  cp "$MIRROR/vendor.asc" "$MIRROR/docker/debian/gpg"
  cp "$MIRROR/vendor.asc" "$MIRROR/docker/centos/gpg"
}

# The real Node.js under another name: what runs in the machine is what runs the tests.
make_nodejs() {
  local folder=$BATS_SUITE_TMPDIR/node-v26.10.0-linux-x64
  mkdir -p "$folder/bin"
  printf '#!/bin/sh\nexec %s "$@"\n' "$REPO/node_modules/node/bin/node" > "$folder/bin/node"
  chmod 755 "$folder/bin/node"
  pack "$MIRROR/node/v26.10.0/node-v26.10.0-linux-x64.tar.gz" "$BATS_SUITE_TMPDIR" node-v26.10.0-linux-x64
}

make_caravan() {
  local folder=$BATS_SUITE_TMPDIR/package
  mkdir -p "$folder/bin"
  cp -r "$REPO/nomad" "$folder/nomad"
  cp "$REPO/tests/userdata/caravan.mjs" "$folder/bin/caravan.mjs"
  pack "$MIRROR/caravan.tgz" "$BATS_SUITE_TMPDIR" package
}

make_nomad() {
  local folder=$MIRROR/nomad/2.0.5
  cp "$REPO/tests/userdata/nomad" "$BATS_SUITE_TMPDIR/nomad"
  (cd "$BATS_SUITE_TMPDIR" && zip -q "$folder/nomad_2.0.5_linux_amd64.zip" nomad)
  (cd "$folder" && sha256sum nomad_*.zip > nomad_2.0.5_SHA256SUMS)
  gpg --batch --quiet --local-user vendor@example.org --detach-sign \
    --output "$folder/nomad_2.0.5_SHA256SUMS.sig" "$folder/nomad_2.0.5_SHA256SUMS"
}

# pack ARCHIVE FOLDER NAME: with its checksum beside it.
pack() {
  tar -czf "$1" -C "$2" "$3"
  sha256sum < "$1" | cut -d' ' -f1 > "$1.sha256"
}

teardown_suite() {
  gpgconf --kill gpg-agent
}

setup() { load machine && new_machine; }

zeros=0000000000000000000000000000000000000000000000000000000000000000

@test "a Nomad key that is not the pinned one ends the script" {
  boot NOMAD_KEY_URL=http://127.0.0.1:8170/stranger.asc
  failed_because 'holds no key with the fingerprint'
  ! has /usr/bin/nomad
}

@test "checksums that a stranger signed are not believed, though the pinned key is served" {
  copy_mirror
  rm "$MIRROR"/nomad/2.0.5/*.sig
  sign stranger
  boot
  failed_because 'are not signed by'
  ! has /usr/bin/nomad
}

@test "a Nomad archive that is not the one of the signed checksums ends the script" {
  copy_mirror
  echo more >> "$MIRROR/nomad/2.0.5/nomad_2.0.5_linux_amd64.zip"
  boot
  failed_because 'nomad_2.0.5_linux_amd64.zip does not have the SHA-256'
  ! has /usr/bin/nomad
}

@test "a key file that is an error page ends the script" {
  copy_mirror
  echo '<html>Service Unavailable</html>' > "$MIRROR/vendor.asc"
  boot
  failed_because 'there is no OpenPGP key in nomad.asc'
}

@test "a file of several keys is taken if the pinned one is among them, and only that one is kept" {
  copy_mirror
  cat "$MIRROR/stranger.asc" >> "$MIRROR/vendor.asc"
  boot
  booted
  [[ $(gpg --with-colons --show-keys "$MACHINE/files/etc/caravan/nomad.gpg" | grep -c ^pub) == 1 ]]
}

@test "another checksum of Caravan ends the script, and nothing of the tarball runs" {
  boot CARAVAN_SHA256=$zeros
  failed_because "caravan.tar.gz does not have the SHA-256 $zeros"
  ! has /opt/caravan
}

@test "another checksum of Node.js ends the script" {
  boot NODEJS_SHA256=$zeros
  failed_because "nodejs.tar.gz does not have the SHA-256 $zeros"
}

@test "a download that is not there is named" {
  boot CARAVAN_TARBALL=http://127.0.0.1:8170/nowhere.tgz
  failed_because 'cannot fetch http://127.0.0.1:8170/nowhere.tgz'
}

@test "a wrong key of Docker's repository ends the script before anything of it is installed" {
  boot DOCKER_KEY_FINGERPRINT="$(< "$MIRROR/stranger.fpr")"
  failed_because 'holds no key with the fingerprint'
  ! called 'install.*docker-ce'
}

@test "a new tarball of Caravan gets a folder of its own, and the old one stays for running agents" {
  boot
  booted
  local old new
  old=$(readlink "$MACHINE/files/opt/caravan")
  copy_mirror
  repack_caravan
  boot
  booted
  new=$(readlink "$MACHINE/files/opt/caravan")
  [[ $new != "$old" ]]
  has "$old/bin/caravan.mjs"
  has "$new/bin/caravan.mjs"
}

copy_mirror() {
  cp -r "$MIRROR" "$BATS_TEST_TMPDIR/mirror"
  MIRROR=$BATS_TEST_TMPDIR/mirror
}

sign() {
  gpg --batch --quiet --local-user "$1@example.org" --detach-sign \
    --output "$MIRROR/nomad/2.0.5/nomad_2.0.5_SHA256SUMS.sig" "$MIRROR/nomad/2.0.5/nomad_2.0.5_SHA256SUMS"
}

repack_caravan() {
  mkdir "$BATS_TEST_TMPDIR/newer"
  tar -xzf "$MIRROR/caravan.tgz" -C "$BATS_TEST_TMPDIR/newer"
  touch "$BATS_TEST_TMPDIR/newer/package/newer"
  tar -czf "$MIRROR/caravan.tgz" -C "$BATS_TEST_TMPDIR/newer" package
  sha256sum < "$MIRROR/caravan.tgz" | cut -d' ' -f1 > "$MIRROR/caravan.tgz.sha256"
}

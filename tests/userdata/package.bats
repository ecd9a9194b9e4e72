# The tarball that people install, in place of the one of the other tests.

setup_file() {
  export PACKAGE=$BATS_FILE_TMPDIR/package
  mkdir "$PACKAGE"
  (cd "$REPO" && npm pack --silent --pack-destination "$PACKAGE")
  mv "$PACKAGE"/caravan-*.tgz "$PACKAGE/caravan.tgz"
}

setup() {
  load machine && new_machine
  cp -r "$MIRROR" "$BATS_TEST_TMPDIR/mirror"
  MIRROR=$BATS_TEST_TMPDIR/mirror
  cp "$PACKAGE/caravan.tgz" "$MIRROR/caravan.tgz"
  sha256sum < "$MIRROR/caravan.tgz" | cut -d' ' -f1 > "$MIRROR/caravan.tgz.sha256"
}

@test "the real package is installed, starts, and its nomad-metrics reads the agent" {
  boot
  booted
  called '4646 GET /v1/agent/self'
  called '4646 GET /v1/allocations'
  contents /usr/local/bin/nomad-metrics | grep -q 'caravan.mjs metrics "\$@"'
  has "$(readlink "$MACHINE/files/opt/caravan")/dist/cli/metrics-main.js"
}

@test "a machine whose agent the real nomad-metrics can not read is none of the cluster's" {
  boot NOMAD_API='without its node' POLL_LIMIT_MS=5000
  failed_because 'nomad-metrics cannot read the Nomad agent'
  [[ $output == *'Nomad does not know the node'* ]]
}

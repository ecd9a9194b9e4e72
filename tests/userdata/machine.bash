# A machine to boot: this one's files under an overlay, a network of its own, and fakes for the commands
# that would change a real machine. Needs root, or a kernel that lets users make namespaces.

# new_machine [DISTRIBUTION]
new_machine() {
  MACHINE=$BATS_TEST_TMPDIR/machine
  CALLS=$MACHINE/files/var/fake/calls
  mkdir -p "$MACHINE"/{files/var/fake/units,files/usr/local/sbin,files/etc,files/var/log,work,root}
  cp "$REPO"/tests/userdata/fakes/* "$MACHINE/files/usr/local/sbin"
  cp "$REPO/tests/userdata/os-release/${1:-debian}" "$MACHINE/files/etc/os-release"
  : > "$MACHINE/files/etc/environment"
  mkdir -p "$MACHINE/files/etc/chrony" "$MACHINE/files/etc/dnf"
  echo 'pool pool.ntp.org iburst' | tee "$MACHINE/files/etc/chrony/chrony.conf" > "$MACHINE/files/etc/chrony.conf"
  printf '[main]\ngpgcheck=1\n\n[other]\nenabled=1\n' > "$MACHINE/files/etc/dnf/dnf.conf"
  touch "$CALLS"
}

# boot [NAME=VALUE...]: runs the user data with the settings of an ordinary machine, and these.
boot() {
  local namespaces=(--mount --net --fork --kill-child)
  [[ $EUID == 0 ]] || namespaces+=(--map-root-user)
  run timeout 100 env -i PATH="$PATH" TERM=dumb REPO="$REPO" MIRROR="$MIRROR" \
    ${NOMAD_BIN:+NOMAD_BIN="$NOMAD_BIN"} ${DOCKERD_BIN:+DOCKERD_BIN="$DOCKERD_BIN"} \
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:8169 \
    SERVICES_PRIVATE_IP=10.0.0.4 \
    CARAVAN_TARBALL=http://127.0.0.1:8170/caravan.tgz CARAVAN_SHA256="$(< "$MIRROR/caravan.tgz.sha256")" \
    NODEJS_RELEASES=http://127.0.0.1:8170/node \
    NODEJS_SHA256="$(< "$MIRROR/node/v26.10.0/node-v26.10.0-linux-x64.tar.gz.sha256")" \
    NOMAD_RELEASES=http://127.0.0.1:8170/nomad NOMAD_KEY_URL=http://127.0.0.1:8170/vendor.asc \
    NOMAD_KEY_FINGERPRINT="$(< "$MIRROR/vendor.fpr")" \
    DOCKER_REPOSITORY=http://127.0.0.1:8170/docker DOCKER_KEY_FINGERPRINT="$(< "$MIRROR/vendor.fpr")" \
    RESERVED_VCPU=2 "$@" \
    unshare "${namespaces[@]}" bash "$REPO/tests/userdata/boot" "$MACHINE"
}

# Every file that the machine has of its own: what, where, and since when.
tree() {
  (cd "$MACHINE/files" && find . \( -path ./var/fake -o -path ./run -o -path ./tmp \) -prune \
    -o ! -type d -printf '%p %m %i %T@ %l\n' | sort)
}

contents() { cat "$MACHINE/files$1"; }

has() { [[ -e $MACHINE/files$1 ]]; }

called() { grep -qE -- "$1" "$CALLS"; }

# For the tests that want a tool: a failure where everything has to be there.
need_tool() {
  command -v "$1" > /dev/null && return
  [[ ${CI:-} != true ]] || { echo "$1 is missing" && return 1; }
  skip "$1 is missing"
}

# A failed check shows what the machine said.
failed_because() {
  echo "$output"
  [[ $status != 0 && $output == *"$1"* ]]
}

booted() {
  [[ $status == 0 ]] || { echo "$output" && return 1; }
}

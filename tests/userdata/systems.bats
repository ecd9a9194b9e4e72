setup() { load machine; }

@test "Debian: Docker from its own repository, pinned by key and version, and held" {
  new_machine debian
  boot
  booted
  [[ $(contents /etc/apt/sources.list.d/docker.list) == \
    'deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] http://127.0.0.1:8170/docker/debian bookworm stable' ]]
  called 'install docker-ce=5:28.5.2-\* docker-ce-cli=5:28.5.2-\* containerd.io'
  called '^apt-mark hold docker-ce docker-ce-cli containerd.io'
}

@test "Ubuntu: its own folder and code name" {
  new_machine ubuntu
  mkdir -p "$BATS_TEST_TMPDIR/mirror"
  cp -r "$MIRROR" "$BATS_TEST_TMPDIR"
  MIRROR=$BATS_TEST_TMPDIR/mirror
  cp -r "$MIRROR/docker/debian" "$MIRROR/docker/ubuntu"
  boot
  booted
  [[ $(contents /etc/apt/sources.list.d/docker.list) == *'/docker/ubuntu noble stable' ]]
}

@test "Amazon Linux: Amazon's own Docker, chrony where it lies there" {
  new_machine amazon
  boot
  booted
  called '^dnf -y install docker$'
  ! called '^apt'
  [[ $(contents /etc/chrony.conf) == *'server 169.254.169.123 prefer iburst'* ]]
  called 'systemctl restart chronyd.service'
}

@test "Rocky Linux: Docker's repository is used once and stays disabled" {
  new_machine rocky
  boot
  booted
  [[ $(contents /etc/yum.repos.d/docker-ce.repo) == *$'enabled=0\ngpgcheck=1'* ]]
  [[ $(contents /etc/pki/rpm-gpg/RPM-GPG-KEY-docker.asc) == '-----BEGIN PGP PUBLIC KEY BLOCK-----'* ]]
  called '^dnf -y install --enablerepo=docker-ce-stable docker-ce-28.5.2 docker-ce-cli-28.5.2 containerd.io'
}

@test "another system is refused by name before anything happens" {
  new_machine alpine
  boot
  failed_because 'alpine is not supported: Debian, Ubuntu, Amazon Linux or RHEL is needed'
  ! called '^(apt|dnf|8170)'
}

@test "another processor is refused" {
  new_machine
  boot MACHINE_TYPE=riscv64
  failed_because 'riscv64 is not supported'
}

@test "arm64 gets the files of arm64" {
  new_machine
  boot MACHINE_TYPE=aarch64
  failed_because 'cannot fetch http://127.0.0.1:8170/node/v26.10.0/node-v26.10.0-linux-arm64.tar.gz'
}

@test "a machine that is too small for what is reserved is refused" {
  new_machine
  boot VCPU=2
  failed_because '2 vCPU'
}

@test "a package lock that others hold is waited for, and how long is bounded" {
  new_machine
  boot LOCKED=7
  booted
  [[ $(grep -c '^sleep 5' "$CALLS") == 7 ]]
}

@test "a package lock that is never let go ends the script after ten minutes" {
  new_machine
  boot LOCKED=10000
  failed_because 'Could not get lock'
  [[ $(grep -c '^sleep 5' "$CALLS") == 120 ]]
}

@test "a mirror that fails is tried five times, not for ten minutes" {
  new_machine
  boot BROKEN=4
  booted
  new_machine_again
  boot BROKEN=10000
  failed_because '503 Service Unavailable'
  [[ $(grep -c '^apt-get -q update' "$CALLS") == 5 ]]
}

@test "an image that brings Docker keeps its own" {
  new_machine
  mkdir -p "$MACHINE/files/usr/local/bin"
  cp "$MACHINE/files/usr/local/sbin/fake-dockerd" "$MACHINE/files/usr/local/bin/dockerd"
  boot
  booted
  ! called docker-ce
}

@test "one program sets the clock, and the script waits for it" {
  new_machine
  touch "$MACHINE/files/var/fake/units/systemd-timesyncd.enabled"
  boot
  booted
  called '^systemctl -q disable --now systemd-timesyncd'
  called '^chronyc waitsync 60 1 0 1'
}

@test "a wrong clock ends the script before Nomad starts" {
  new_machine
  boot CLOCK_IS_WRONG=yes
  failed_because 'more than a second off'
  ! called 'restart nomad.service'
}

new_machine_again() {
  rm -rf "$BATS_TEST_TMPDIR/machine"
  new_machine
}

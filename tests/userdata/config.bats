setup() { load machine && new_machine; }

@test "the configuration has the values that operators know" {
  boot
  booted
  local config line
  config=$(contents /etc/nomad/config.hcl)
  for line in 'datacenter = "default"' 'data_dir   = "/opt/nomad"' 'servers    = \["10.0.0.4:4647"\]' \
    'node_class = "linux-64bit"' 'cpu_total_compute = 16000' 'min_dynamic_port = 64535' 'max_dynamic_port = 65535' \
    'max_kill_timeout = "5m"' 'cpu            = 2000' 'memory         = 4096' 'leave_on_interrupt = false' \
    'publish_node_metrics = true' 'statsd_address       = "10.0.0.4:8125"'; do
    grep -q -- "$line" <<< "$config" || { echo "missing: $line" && return 1; }
  done
  [[ $config == *$'plugin "raw_exec" {\n  config {\n    enabled = true'* ]]
}

@test "a drain has no deadline: nothing here gives it one" {
  boot
  booted
  ! grep -rq 'drain_on_shutdown' "$MACHINE/files/etc/nomad"
}

@test "several servers, with and without a port" {
  boot SERVICES_PRIVATE_IP= NOMAD_SERVERS=10.0.0.4,nomad.example:14647
  booted
  grep -qF 'servers    = ["10.0.0.4:4647", "nomad.example:14647"]' "$MACHINE/files/etc/nomad/config.hcl"
  # Nobody is there to take gauges.
  ! grep -q telemetry "$MACHINE/files/etc/nomad/config.hcl"
  ! called 'restart nomad-metrics'
}

@test "the real Nomad accepts the configuration, in every variant" {
  [[ -n ${NOMAD_BIN:-} ]] || skip 'no real Nomad here'
  boot NODE_NAME=n PRIVATE_IP=192.0.2.1 NOMAD_ACL=true STATSD_HOST= NOMAD_RAW_EXEC=false
  booted
  boot
  booted
}

@test "what an operator adds is checked together with ours" {
  [[ -n ${NOMAD_BIN:-} ]] || skip 'no real Nomad here'
  boot
  booted
  echo 'client { no_such_key = 1 }' > "$MACHINE/files/etc/nomad/site.hcl"
  boot
  failed_because 'Nomad refuses its configuration'
  has /etc/nomad/site.hcl
}

@test "the real dockerd accepts what becomes of its configuration" {
  if [[ -z ${DOCKERD_BIN:-} ]]; then
    [[ ${CI:-} != true ]] || { echo 'DOCKERD_BIN is needed' && return 1; }
    skip 'no dockerd that validates: tests/userdata/fetch-dockerd makes one'
  fi
  boot
  booted
  called '^dockerd --validate --config-file'
}

@test "the real dockerd's refusal ends the script, and the file stays as it was" {
  [[ -n ${DOCKERD_BIN:-} ]] || skip 'no dockerd that validates: tests/userdata/fetch-dockerd makes one'
  # The folder hides under the fresh machine's own; only a later boot sees it.
  boot
  booted
  echo '{"no-such-key": true}' > "$MACHINE/files/etc/docker/daemon.json"
  boot
  failed_because 'dockerd refuses'
  [[ $(contents /etc/docker/daemon.json) == '{"no-such-key": true}' ]]
}

@test "keys of others in daemon.json stay, ours win, and the first state is kept beside it" {
  boot
  booted
  [[ $(contents /etc/docker/daemon.json.orig) == '{}' ]]
  echo '{"debug": true, "icc": true, "log-opts": {"tag": "x"}}' > "$MACHINE/files/etc/docker/daemon.json"
  boot
  booted
  jq -e '.debug and .icc == false and ."userns-remap" == "default" and ."live-restore"
    and ."no-new-privileges" and ."log-opts".tag == "x" and ."log-opts"."max-size" == "50m"' \
    "$MACHINE/files/etc/docker/daemon.json"
}

@test "a daemon.json that is no JSON is left alone and named" {
  boot
  booted
  echo 'debug: true' > "$MACHINE/files/etc/docker/daemon.json"
  boot
  failed_because '/etc/docker/daemon.json is not a JSON object'
  [[ $(contents /etc/docker/daemon.json) == 'debug: true' ]]
}

@test "builds get their privileged network" {
  boot
  booted
  called 'docker network create --driver=bridge --opt com.docker.network.bridge.name=ci-privileged ci-privileged'
}

@test "builds may use the instance's role only where the settings say so" {
  boot BUILDS_MAY_USE_IMDS=true
  booted
  ! called 'restart caravan-firewall'
}

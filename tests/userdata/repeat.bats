setup() { load machine && new_machine; }

@test "a second run writes no file and starts no unit again" {
  local before
  boot
  booted
  before=$(tree)
  : > "$CALLS"
  boot
  booted
  diff <(echo "$before") <(tree)
  ! called 'systemctl.*(restart|start|enable|disable)'
  ! called '^(apt|8170|docker network create|iptables .*-I)'
}

@test "a second run changes nothing on Rocky Linux behind a proxy either" {
  rm -r "$MACHINE"
  new_machine rocky
  local before
  boot HTTP_PROXY=http://127.0.0.1:3128 IMDS='no public address'
  booted
  before=$(tree)
  boot HTTP_PROXY=http://127.0.0.1:3128 IMDS='no public address'
  booted
  diff <(echo "$before") <(tree)
}

@test "a setting that changes restarts Nomad, and nothing else" {
  boot
  booted
  : > "$CALLS"
  boot NOMAD_NODE_CLASS=big
  booted
  [[ $(grep -o 'systemctl restart .*' "$CALLS") == 'systemctl restart nomad.service' ]]
}

@test "a run that broke off between writing and restarting is made good by the next one" {
  boot
  booted
  boot NOMAD_NODE_CLASS=big BROKEN_UNIT=nomad.service
  failed_because 'line'
  : > "$CALLS"
  boot NOMAD_NODE_CLASS=big
  booted
  called 'systemctl restart nomad.service'
}

@test "a unit that does not run is started" {
  boot
  booted
  rm "$MACHINE/files/var/fake/units/nomad-metrics.service.active"
  : > "$CALLS"
  boot
  booted
  [[ $(grep -o 'systemctl restart .*' "$CALLS") == 'systemctl restart nomad-metrics.service' ]]
}

@test "the check at the end fails when the node takes no work" {
  boot NODE_STATUS='{"Status": "ready", "SchedulingEligibility": "ineligible"}'
  failed_because 'the node is not ready and eligible'
}

@test "the check at the end fails when nomad-metrics reports failed polls" {
  boot POLL_FAILURE=1 POLL_LIMIT_MS=2000
  failed_because 'nomad-metrics cannot read the Nomad agent'
}

@test "a failure names its step and its line" {
  boot BROKEN_UNIT=docker.service
  failed_because 'configure_docker: line'
}

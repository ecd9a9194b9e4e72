setup() { load machine && new_machine; }

@test "every setting that is wrong is named, all at once, and nothing is done" {
  boot SERVICES_PRIVATE_IP= CARAVAN_SHA256=abc NOMAD_METRICS_PORT=x
  failed_because 'NOMAD_SERVERS is missing or malformed'
  [[ $output == *'CARAVAN_SHA256 is missing or malformed'* ]]
  [[ $output == *'NOMAD_METRICS_PORT is missing or malformed'* ]]
  [[ ! -s $CALLS ]]
}

@test "no setting that is broken gets as far as Nomad" {
  local setting
  for setting in 'NOMAD_DATACENTER=a"b' 'NOMAD_NODE_CLASS=x${y}' $'NOMAD_REGION=eu\nname = "x"' NOMAD_TLS=yes \
    'NOMAD_SERVERS=10.0.0.4"] x = ["' RESERVED_MEMORY=4G NOMAD_VERSION=latest NOMAD_KEY_FINGERPRINT=72D7468F \
    DOCKER_VERSION=latest DOCKER_ADDRESS_POOL=all HTTP_PROXY=proxy:3128 'NODE_NAME=a b' 'STATSD_HOST=$(id)' \
    CARAVAN_TARBALL=ftp://mirror/caravan.tgz BUILDS_MAY_USE_IMDS=maybe; do
    boot "$setting"
    failed_because "${setting%%=*} is missing or malformed"
  done
  [[ ! -s $CALLS ]]
}

@test "what fails on EC2 is told to the Auto Scaling Group" {
  boot CLOCK_IS_WRONG=yes
  failed_because 'this machine is not a Nomad client'
  called '^aws autoscaling set-instance-health --instance-id i-0123456789abcdef0 --health-status Unhealthy'
}

@test "the group is not told when that is not wanted" {
  boot CLOCK_IS_WRONG=yes SIGNAL_UNHEALTHY=false
  failed_because 'this machine is not a Nomad client'
  ! called '^aws'
}

@test "TLS: certificates come from the secrets command, readable as they should be" {
  local pem
  pem='-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
  boot NOMAD_TLS=true NOMAD_BIN= SECRETS_COMMAND="echo '{\"ca\":\"$pem\",\"cert\":\"$pem\",\"key\":\"$pem\"}'"
  # The agent of these tests speaks no TLS: the check of the machine is where this ends.
  failed_because 'the Nomad agent does not answer'
  [[ $(contents /etc/nomad/config.hcl) == *'verify_server_hostname = true'* ]]
  [[ $(stat -c %a "$MACHINE/files/etc/nomad/tls/key.pem") == 600 ]]
  [[ $(contents /etc/caravan/client.env) == *NOMAD_ADDR=https://127.0.0.1:4646* ]]
}

@test "TLS without certificates ends the script before Nomad starts" {
  boot NOMAD_TLS=true SECRETS_COMMAND='echo "{}"'
  failed_because 'NOMAD_TLS needs ca, a PEM text, from SECRETS_COMMAND'
  ! called 'restart nomad.service'
}

@test "a secrets command that fails, or prints something else, ends the script" {
  boot NOMAD_ACL=true SECRETS_COMMAND='exit 7'
  failed_because 'SECRETS_COMMAND failed'
  boot NOMAD_ACL=true SECRETS_COMMAND='echo AccessDenied'
  failed_because 'SECRETS_COMMAND printed no JSON object'
}

@test "ACL: the token of nomad-metrics is kept where root alone reads it, and printed nowhere" {
  boot NOMAD_ACL=true SECRETS_COMMAND='echo "{\"metrics_token\":\"00000000-1111-2222-3333-444444444444\"}"'
  booted
  [[ $output != *1111-2222* ]]
  [[ $(contents /etc/caravan/client.env) == *NOMAD_TOKEN=00000000-1111-2222-3333-444444444444* ]]
  [[ $(stat -c %a "$MACHINE/files/etc/caravan/client.env") == 600 ]]
  [[ $(contents /etc/nomad/config.hcl) == *$'acl {\n  enabled = true'* ]]
  ! grep -rq 1111-2222 "$MACHINE/files/etc/nomad" "$CALLS"
}

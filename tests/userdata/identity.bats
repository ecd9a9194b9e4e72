setup() { load machine && new_machine; }

@test "the instance id is the node's name, and the private address is advertised" {
  boot
  booted
  [[ $(contents /etc/nomad/config.hcl) == *'name       = "i-0123456789abcdef0"'* ]]
  [[ $(contents /etc/nomad/config.hcl) == *'http = "10.0.7.21"'* ]]
}

@test "metadata is asked for with a token, by PUT" {
  boot
  booted
  [[ $(grep -m 1 ^8169 "$CALLS") == '8169 PUT /latest/api/token' ]]
}

@test "with a public address there is no public-ipv4 file" {
  mkdir -p "$MACHINE/files/etc/circleci"
  boot
  booted
  ! has /etc/circleci/public-ipv4
}

@test "without a public address the file says the private one" {
  boot IMDS='no public address'
  booted
  [[ $(contents /etc/circleci/public-ipv4) == 10.0.7.21 ]]
}

@test "metadata that answers 401 ends the script before anything is installed" {
  boot IMDS=unauthorized
  failed_because 'gave no good answer to http://127.0.0.1:8169/latest/meta-data/instance-id (last status: 401)'
  ! has /etc/nomad/config.hcl
}

@test "an error page never becomes an instance id" {
  boot IMDS='error page'
  failed_because 'gave no good answer'
  [[ $(grep -c 'GET /latest/meta-data/instance-id' "$CALLS") == 5 ]]
  ! has /etc/nomad/config.hcl
}

@test "metadata that never answers is given up after five tries" {
  boot IMDS=silent
  failed_because '(last status: none)'
  [[ $(grep -c 'PUT /latest/api/token' "$CALLS") == 5 ]]
}

@test "metadata does not go through a proxy that the environment names" {
  boot HTTP_PROXY=http://127.0.0.1:3128 http_proxy=http://127.0.0.1:3128 no_proxy=127.0.0.1:8170,127.0.0.1:4646
  ! grep '^3128' "$CALLS" | grep latest
  grep -q '^8169 GET /latest/meta-data/instance-id' "$CALLS"
}

@test "outside EC2 a name and an address stand in for metadata" {
  boot NODE_NAME=rack-4 PRIVATE_IP=192.0.2.9
  booted
  ! grep -q ^8169 "$CALLS"
  [[ $(contents /etc/nomad/config.hcl) == *'name       = "rack-4"'* ]]
  [[ $(contents /etc/nomad/config.hcl) == *'env_digitalocean,env_aws"'* ]]
  [[ $(contents /etc/chrony/chrony.conf) == 'pool pool.ntp.org iburst' ]]
}

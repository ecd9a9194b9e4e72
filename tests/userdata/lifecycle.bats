# The unit that waits for builds when the group ends the machine.

setup() { load machine && new_machine; }

@test "on EC2 the machine looks after its own end" {
  boot
  booted
  called 'systemctl restart caravan-lifecycle.service'
  [[ $(contents /etc/systemd/system/caravan-lifecycle.service) == *'caravan fleet lifecycle --self'* ]]
  [[ $(contents /etc/systemd/system/caravan-lifecycle.service) == *'EnvironmentFile=-/etc/caravan/proxy.env'* ]]
  [[ -z $(contents /etc/caravan/lifecycle.env) ]]
}

@test "outside EC2 nobody else ends the machine, and nothing looks after it" {
  boot NODE_NAME=rack-4 PRIVATE_IP=192.0.2.9
  booted
  ! called 'restart caravan-lifecycle.service'
}

@test "the lifecycle can be left to others, also afterwards" {
  boot
  booted
  boot FLEET_LIFECYCLE=false
  booted
  called 'systemctl -q disable --now caravan-lifecycle.service'
}

@test "with access control it drains with a token of its own, which nobody else reads" {
  boot NOMAD_ACL=true \
    SECRETS_COMMAND='echo "{\"metrics_token\":\"00000000-1111-2222-3333-444444444444\",\"lifecycle_token\":\"99999999-1111-2222-3333-444444444444\"}"'
  booted
  [[ $(contents /etc/caravan/lifecycle.env) == 'NOMAD_TOKEN=99999999-1111-2222-3333-444444444444' ]]
  [[ $(contents /etc/caravan/client.env) == *'NOMAD_TOKEN=00000000-1111-2222-3333-444444444444'* ]]
  [[ $(stat -c %a "$MACHINE/files/etc/caravan/lifecycle.env") == 600 ]]
}

@test "without a token that may drain, nothing holds the machine" {
  boot NOMAD_ACL=true SECRETS_COMMAND='echo "{\"metrics_token\":\"00000000-1111-2222-3333-444444444444\"}"'
  booted
  [[ $output == *'without lifecycle_token, nobody waits for builds here'* ]]
  ! called 'restart caravan-lifecycle.service'
}

@test "a token that holds anything but letters and digits ends the script" {
  boot NOMAD_ACL=true SECRETS_COMMAND='printf "%s" "{\"lifecycle_token\":\"x\\ny\"}"'
  failed_because 'a token holds characters that no token has'
}

setup() { load machine && new_machine; }

# The proxy of these tests refuses everything: what arrives there should not have gone there.
proxied=(HTTP_PROXY=http://127.0.0.1:3128 NO_PROXY=ghe.example.com)

@test "a proxy is told to Docker, Nomad, the package manager and people" {
  boot "${proxied[@]}"
  booted
  local none
  none=127.0.0.1,localhost,::1,169.254.169.254,169.254.170.2,fd00:ec2::254,10.0.7.21,i-0123456789abcdef0
  none+=,10.0.0.4,10.0.0.0/16,10.1.0.0/16,ghe.example.com
  local file
  for file in /etc/caravan/proxy.env /etc/environment; do
    grep -qx HTTP_PROXY=http://127.0.0.1:3128 "$MACHINE/files$file"
    grep -qx https_proxy=http://127.0.0.1:3128 "$MACHINE/files$file"
    grep -qx "NO_PROXY=$none" "$MACHINE/files$file"
    grep -qx "no_proxy=$none" "$MACHINE/files$file"
  done
  [[ $(contents /etc/apt/apt.conf.d/90caravan-proxy) == *'Acquire::https::Proxy "http://127.0.0.1:3128";'* ]]
  [[ $(contents /etc/systemd/system/docker.service.d/caravan.conf) == *EnvironmentFile=-/etc/caravan/proxy.env* ]]
  [[ $(contents /etc/systemd/system/nomad.service) == *EnvironmentFile=-/etc/caravan/proxy.env* ]]
}

@test "neither metadata nor the machine's own Nomad is asked through the proxy" {
  boot "${proxied[@]}"
  booted
  ! grep -q '^3128' "$CALLS"
}

@test "a server's port is not part of what needs no proxy" {
  boot "${proxied[@]}" NOMAD_SERVERS=nomad-1.example:4647,10.0.0.5
  booted
  grep -qE '^NO_PROXY=.*,nomad-1.example,10.0.0.5,10.0.0.0/16' "$MACHINE/files/etc/caravan/proxy.env"
}

@test "dnf gets its proxy in its main section, once" {
  rm -r "$MACHINE"
  new_machine rocky
  boot "${proxied[@]}"
  booted
  [[ $(contents /etc/dnf/dnf.conf) == $'[main]\nproxy=http://127.0.0.1:3128\ngpgcheck=1\n\n[other]\nenabled=1' ]]
}

@test "lines of others in /etc/environment stay, and ours go when the proxy goes" {
  echo JAVA_HOME=/opt/java > "$MACHINE/files/etc/environment"
  boot "${proxied[@]}"
  booted
  boot
  booted
  [[ $(contents /etc/environment) == JAVA_HOME=/opt/java ]]
  ! has /etc/apt/apt.conf.d/90caravan-proxy
  called 'restart docker.service'
  [[ $(grep -c 'systemctl restart nomad.service' "$CALLS") == 2 ]]
}

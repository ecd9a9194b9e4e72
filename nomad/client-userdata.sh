#!/usr/bin/env bash
# Makes this machine a Nomad client that runs builds for Caravan: EC2 user data, or by hand as root.
#
# Debian, Ubuntu, Amazon Linux 2023, RHEL and its rebuilds; amd64 and arm64. It may run again at any
# time: what is right already is neither written nor restarted. It ends with a check of itself, and
# with an exit code other than 0 when anything is not as it should be.
#
# This is the first half: who the machine is, the way out, and Caravan's own files. User data may have
# 16 KB; the second half (Docker, Nomad, units, the check) is nomad/client/setup.sh of the tarball.
#
# Settings come from the environment; in user data, put `export NAME=value` lines above this one.
# No secrets among them: every process on the machine may read user data. docs/guides/install.md
# tells what each is for.
set -Eeuo pipefail
shopt -s inherit_errexit
umask 077
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

# The Nomad servers: one address, or several as HOST[:PORT],... Needed.
: "${SERVICES_PRIVATE_IP:=}" "${NOMAD_SERVERS:=$SERVICES_PRIVATE_IP}"
# Caravan's tarball and the Node.js release, each with its SHA-256. Needed.
: "${CARAVAN_TARBALL:=}" "${CARAVAN_SHA256:=}" "${NODEJS_SHA256:=}"
: "${NODEJS_VERSION:=26.10.0}" "${NODEJS_RELEASES:=https://nodejs.org/dist}"
: "${NOMAD_VERSION:=2.0.5}" "${NOMAD_RELEASES:=https://releases.hashicorp.com/nomad}"
: "${NOMAD_KEY_URL:=https://www.hashicorp.com/.well-known/pgp-key.txt}"
: "${NOMAD_KEY_FINGERPRINT:=C874011F0AB405110D02105534365D9472D7468F}"
: "${NOMAD_REGION:=global}" "${NOMAD_DATACENTER:=default}" "${NOMAD_NODE_POOL:=default}"
: "${NOMAD_NODE_CLASS:=linux-64bit}" "${NOMAD_RAW_EXEC:=true}" "${NOMAD_ACL:=false}" "${NOMAD_TLS:=false}"
# Prints a JSON object with ca, cert, key (PEM; for NOMAD_TLS), metrics_token and lifecycle_token (for NOMAD_ACL).
: "${SECRETS_COMMAND:=}"
# What a machine keeps for itself: vCPU, MB of memory, MB of disk.
: "${RESERVED_VCPU:=2}" "${RESERVED_MEMORY:=4096}" "${RESERVED_DISK:=4096}"
: "${STATSD_HOST:=$SERVICES_PRIVATE_IP}" "${NOMAD_METRICS_PORT:=8125}"
: "${DOCKER_VERSION:=28.5.2}" "${DOCKER_REPOSITORY:=https://download.docker.com/linux}"
: "${DOCKER_KEY_FINGERPRINT:=}" "${DOCKER_ADDRESS_POOL:=172.17.0.0/16}"
: "${HTTP_PROXY:=${http_proxy:-}}" "${HTTPS_PROXY:=${https_proxy:-$HTTP_PROXY}}" "${NO_PROXY:=${no_proxy:-}}"
# true lets build containers ask for the credentials of the instance's role.
: "${BUILDS_MAY_USE_IMDS:=false}"
# true waits for builds when the Auto Scaling Group ends the machine (docs/guides/fleet.md tells what it needs).
: "${FLEET_LIFECYCLE:=true}"
# true tells the Auto Scaling Group when this script fails (needs the aws command).
: "${SIGNAL_UNHEALTHY:=true}"
# Outside EC2 name both, and the metadata service is not asked.
: "${NODE_NAME:=}" "${PRIVATE_IP:=}"
: "${AWS_EC2_METADATA_SERVICE_ENDPOINT:=http://169.254.169.254}"

readonly STATE=/var/lib/caravan NOMAD_DATA=/opt/nomad
step=start WORK='' PUBLIC_IP='' MAC='' DISTRO='' ARCH='' ON_EC2=false IMDS_TOKEN=''

main() {
  trap 'log "line $LINENO failed: ${BASH_COMMAND%%$'\''\n'\''*}"' ERR
  trap on_exit EXIT
  WORK=$(mktemp -d)
  [[ $EUID == 0 ]] || fail 'this has to run as root'
  exec 9> /run/caravan-userdata.lock
  flock -n 9 || fail 'this script is running already'
  run check_settings detect_system install_packages identify_instance configure_proxy install_caravan
  # The second half comes with Caravan, and its bytes are covered by CARAVAN_SHA256.
  # shellcheck source=nomad/client/setup.sh
  source /opt/caravan/nomad/client/setup.sh
  run "${SETUP_STEPS[@]}"
  sha256sum -- "$0" "$CLIENT"/* 2> /dev/null | put "$STATE/userdata.sha256" 644 || true
  step=end
  log "$NODE_NAME takes builds"
}

# --- helpers ---------------------------------------------------------------------------------------

run() {
  for step in "$@"; do
    log begins
    "$step"
  done
}

log() {
  printf 'caravan-userdata: %s: %s\n' "$step" "$*" >&2
  logger -t caravan-userdata -- "$step: $*" 2> /dev/null || true
}

fail() {
  log "$*"
  exit 1
}

on_exit() {
  local code=$?
  rm -rf "$WORK"
  [[ $code != 0 ]] || return 0
  log "FAILED with exit code $code: this machine is not a Nomad client"
  # Replaced by its group at once, rather than counted as capacity.
  if [[ $SIGNAL_UNHEALTHY == true && $ON_EC2 == true && -n $NODE_NAME ]] && command -v aws > /dev/null; then
    aws autoscaling set-instance-health --instance-id "$NODE_NAME" --health-status Unhealthy || true
  fi
}

# retry TIMES SECONDS COMMAND...
retry() {
  local left=$1 pause=$2
  shift 2
  until "$@"; do
    ((--left > 0)) || return 1
    sleep "$pause"
  done
}

# put FILE MODE: standard input becomes the file, whole or not at all, and only when it differs.
put() {
  local file=$1 mode=$2 new
  (umask 022 && mkdir -p "${file%/*}")
  new=$(mktemp "$file.XXXXXX")
  cat > "$new"
  chmod "$mode" "$new"
  if cmp -s "$new" "$file" && [[ $(stat -c %a "$file") == "$mode" ]]; then rm "$new"; else mv "$new" "$file"; fi
}

fetch() {
  curl -fsSL --connect-timeout 10 --max-time 600 --retry 5 --retry-connrefused -o "$2" "$1" || fail "cannot fetch $1"
}

check_sum() {
  sha256sum --status -c <<< "$2  $1" || fail "${1##*/} does not have the SHA-256 $2"
}

# install_tree NAME URL SHA256: /opt/NAME leads to the unpacked tarball. Each one has a folder of its
# own, so that agents that run while /opt/NAME changes keep all of their files.
install_tree() {
  local name=$1 home=/opt/$1-${3:0:12} archive=$WORK/$1.tar.gz
  if [[ ! -d $home ]]; then
    fetch "$2" "$archive"
    check_sum "$archive" "$3"
    rm -rf "$home.new"
    (umask 022 && mkdir "$home.new" && tar -xzf "$archive" --strip-components=1 --no-same-owner -C "$home.new")
    mv -T "$home.new" "$home"
  fi
  if [[ $(readlink "/opt/$name") != "$home" ]]; then
    ln -sfn "$home" "/opt/$name.new"
    mv -T "/opt/$name.new" "/opt/$name"
  fi
}

# --- steps -----------------------------------------------------------------------------------------

# What does not look as it should gets nowhere near a configuration. All faults are told at once.
check_settings() {
  local name pattern bad=0
  while read -r name pattern; do
    [[ ${!name} =~ ^($pattern)$ ]] || { log "$name is missing or malformed; it has to match $pattern" && bad=1; }
  done << 'PATTERNS'
NOMAD_SERVERS [][A-Za-z0-9.:,-]+
CARAVAN_TARBALL https?://[^[:space:]"\\]+
CARAVAN_SHA256 [0-9a-f]{64}
NODEJS_SHA256 [0-9a-f]{64}
NODEJS_VERSION [0-9]+\.[0-9]+\.[0-9]+
NODEJS_RELEASES https?://[^[:space:]"\\]+
NOMAD_VERSION [0-9]+\.[0-9]+\.[0-9]+[a-z0-9.+-]*
NOMAD_RELEASES https?://[^[:space:]"\\]+
NOMAD_KEY_URL https?://[^[:space:]"\\]+
NOMAD_KEY_FINGERPRINT [0-9A-F]{40}
NOMAD_REGION [A-Za-z0-9_-]+
NOMAD_DATACENTER [A-Za-z0-9_-]+
NOMAD_NODE_POOL [A-Za-z0-9_-]+
NOMAD_NODE_CLASS [A-Za-z0-9._-]+
NOMAD_RAW_EXEC true|false
NOMAD_ACL true|false
NOMAD_TLS true|false
RESERVED_VCPU [0-9]+
RESERVED_MEMORY [0-9]+
RESERVED_DISK [0-9]+
STATSD_HOST [A-Za-z0-9.:-]*
NOMAD_METRICS_PORT [0-9]{1,5}
DOCKER_VERSION [0-9]+\.[0-9]+\.[0-9]+
DOCKER_REPOSITORY https?://[^[:space:]"\\]+
DOCKER_KEY_FINGERPRINT ([0-9A-F]{40})?
DOCKER_ADDRESS_POOL [0-9.]+/[0-9]+
HTTP_PROXY (https?://[^[:space:]"\\]+)?
HTTPS_PROXY (https?://[^[:space:]"\\]+)?
NO_PROXY [][A-Za-z0-9.,:/*_-]*
BUILDS_MAY_USE_IMDS true|false
FLEET_LIFECYCLE true|false
SIGNAL_UNHEALTHY true|false
NODE_NAME [A-Za-z0-9._-]*
PRIVATE_IP [0-9a-fA-F.:]*
PATTERNS
  [[ $bad == 0 ]] || exit 1
}

detect_system() {
  DISTRO=$(os_release ID)
  case " $DISTRO $(os_release ID_LIKE) " in
    *' debian '*) PACKAGES=apt ;;
    *' amzn '* | *' rhel '* | *' fedora '*) PACKAGES=dnf ;;
    *) fail "$DISTRO is not supported: Debian, Ubuntu, Amazon Linux or RHEL is needed" ;;
  esac
  case $(uname -m) in
    x86_64) ARCH=amd64 ;;
    aarch64) ARCH=arm64 ;;
    *) fail "$(uname -m) is not supported: x86_64 or aarch64 is needed" ;;
  esac
  local memory
  memory=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
  (($(nproc) > RESERVED_VCPU && memory > RESERVED_MEMORY)) \
    || fail "$(nproc) vCPU and $memory MB leave nothing for builds beside RESERVED_VCPU and RESERVED_MEMORY"
}

os_release() {
  # shellcheck source=/dev/null
  (source /etc/os-release && printf %s "${!1:-}")
}

# packages NAME...: a first boot's own updates may hold the lock for minutes, and mirrors hiccup.
packages() {
  local command=(dnf -y install) answer tries failures=0
  [[ $PACKAGES == dnf ]] || command=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    apt-get -y -q -o DPkg::Lock::Timeout=600 --no-install-recommends install)
  for ((tries = 0; tries < 120; tries++)); do
    if { [[ $PACKAGES == dnf ]] || answer=$(apt-get -q update 2>&1); } && answer=$("${command[@]}" "$@" 2>&1); then return; fi
    grep -qiE 'could not get lock|unable to lock|another (app|process|copy)' <<< "$answer" || ((++failures < 5)) || break
    sleep 5
  done
  fail "cannot install $*: $(tail -n 3 <<< "$answer")"
}

install_packages() {
  local pair missing=() names='gpg:gnupg ssh:openssh-client iptables:iptables'
  [[ $PACKAGES == apt ]] || names='gpg:gnupg2 ssh:openssh-clients iptables:iptables-nft'
  # Both package managers take it from here until the files of configure_proxy are there.
  [[ -z $HTTPS_PROXY ]] || export http_proxy=$HTTP_PROXY https_proxy=$HTTPS_PROXY no_proxy=$NO_PROXY
  # By command, not by package: minimal images have curl and gpg under other package names.
  for pair in curl:curl jq:jq unzip:unzip tar:tar git:git chronyd:chrony $names; do
    command -v "${pair%:*}" > /dev/null || missing+=("${pair#*:}")
  done
  [[ ${#missing[@]} == 0 ]] || packages ca-certificates "${missing[@]}"
}

# imds_request PATTERN CURL-ARGUMENT...: what the metadata service says, if it looks as it should. An
# error page must never become an address, and no proxy may answer in the service's place.
imds_request() {
  local pattern=$1 answer='' status='' try
  shift
  for try in 1 2 3 4 5; do
    [[ $try == 1 ]] || sleep 1
    answer=$(curl -sS --noproxy '*' --connect-timeout 1 --max-time 3 -w '\n%{http_code}' "$@") || continue
    status=${answer##*$'\n'} answer=${answer%$'\n'*}
    [[ $status != 404 ]] || answer=''
    if [[ $status == 200 || $status == 404 ]] && [[ $answer =~ ^($pattern)$ ]]; then
      printf %s "$answer"
      return
    fi
  done
  fail "the metadata service gave no good answer to ${*: -1} (last status: ${status:-none})"
}

imds() {
  imds_request "$2" -H "X-aws-ec2-metadata-token: $IMDS_TOKEN" "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/meta-data/$1"
}

identify_instance() {
  local address='[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+'
  if [[ -z $NODE_NAME || -z $PRIVATE_IP ]]; then
    IMDS_TOKEN=$(imds_request '[A-Za-z0-9_=+/-]{16,}' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' \
      "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/api/token")
    NODE_NAME=$(imds instance-id 'i-[0-9a-f]+')
    ON_EC2=true
    PRIVATE_IP=$(imds local-ipv4 "$address")
    PUBLIC_IP=$(imds public-ipv4 "($address)?")
    MAC=$(imds mac '([0-9a-f]{2}:){5}[0-9a-f]{2}')
  fi
  # Tells agents where people reach this machine, where the metadata service does not.
  if [[ -n $PUBLIC_IP ]]; then rm -f /etc/circleci/public-ipv4; else put /etc/circleci/public-ipv4 644 <<< "$PRIVATE_IP"; fi
}

# Metadata, the servers and this machine never go through the proxy. Not every tool understands
# networks, so the addresses stand there too.
configure_proxy() {
  local file lines='' none="127.0.0.1,localhost,::1,169.254.169.254,169.254.170.2,fd00:ec2::254,$PRIVATE_IP,$NODE_NAME"
  if [[ -n $HTTP_PROXY$HTTPS_PROXY ]]; then
    none+=,$(sed -E 's/(^|,)([^],:]+):[0-9]+/\1\2/g' <<< "$NOMAD_SERVERS")
    [[ $ON_EC2 == false ]] || none+=,$(imds "network/interfaces/macs/$MAC/vpc-ipv4-cidr-blocks" '[0-9./[:space:]]+' | paste -sd,)
    NO_PROXY=$none${NO_PROXY:+,$NO_PROXY}
    lines=$(printf '%s\n' "HTTP_PROXY=$HTTP_PROXY" "HTTPS_PROXY=$HTTPS_PROXY" "NO_PROXY=$NO_PROXY" \
      "http_proxy=$HTTP_PROXY" "https_proxy=$HTTPS_PROXY" "no_proxy=$NO_PROXY")
    export HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy=$HTTP_PROXY https_proxy=$HTTPS_PROXY no_proxy=$NO_PROXY
  fi
  # Read by the units of Docker, Nomad and nomad-metrics; the block is for people and their tools.
  put /etc/caravan/proxy.env 644 <<< "$lines"
  block /etc/environment <<< "$lines"
  if [[ $PACKAGES == apt ]]; then
    file=/etc/apt/apt.conf.d/90caravan-proxy
    if [[ -z $lines ]]; then rm -f $file; else
      printf 'Acquire::%s::Proxy "%s";\n' http "$HTTP_PROXY" https "$HTTPS_PROXY" | put $file 644
    fi
  elif [[ -n $lines ]]; then
    sed -e '/^proxy=/d' -e "/^\[main\]/a proxy=$HTTPS_PROXY" /etc/dnf/dnf.conf | put /etc/dnf/dnf.conf 644
  fi
}

# block FILE: standard input becomes the lines of ours in a file of others.
block() {
  local ours
  ours=$(cat)
  [[ -e $1 || -n $ours ]] || return 0
  {
    [[ ! -e $1 ]] || sed '/^# BEGIN caravan$/,/^# END caravan$/d' "$1"
    [[ -z $ours ]] || printf '# BEGIN caravan\n%s\n# END caravan\n' "$ours"
  } | put "$1" 644
}

install_caravan() {
  local arch=x64 name
  [[ $ARCH == amd64 ]] || arch=arm64
  install_tree nodejs "$NODEJS_RELEASES/v$NODEJS_VERSION/node-v$NODEJS_VERSION-linux-$arch.tar.gz" "$NODEJS_SHA256"
  install_tree caravan "$CARAVAN_TARBALL" "$CARAVAN_SHA256"
  # The job template calls `caravan`. The Node.js of builds, if any, is another one.
  for name in caravan 'nomad-metrics metrics'; do
    put "/usr/local/bin/${name% *}" 755 << END
#!/bin/sh
exec /opt/nodejs/bin/node /opt/caravan/bin/caravan.mjs $([[ $name == caravan ]] || echo "${name#* } ")"\$@"
END
  done
  caravan version > /dev/null
}

# Last, so that half a script runs nothing; and not when tests source this file.
if [[ ${BASH_SOURCE[0]:-$0} == "$0" ]]; then main "$@"; fi

# The second half of client-userdata.sh, which has checked this file's hash and sources it: helpers and
# settings are found there.
# shellcheck shell=bash
readonly CLIENT=/opt/caravan/nomad/client
# shellcheck source=nomad/client/docker.sh
source "$CLIENT/docker.sh"
# shellcheck source=nomad/client/nomad.sh
source "$CLIENT/nomad.sh"

# Everything that can be refused comes before the first start of Nomad: it is the step that takes builds.
# shellcheck disable=SC2034
readonly SETUP_STEPS=(synchronize_time install_docker configure_docker install_nomad fetch_secrets
  configure_nomad configure_units start_units check_itself)

# apply UNIT FILE...: starts the unit, unless it runs and was started from these very files.
apply() {
  local unit=$1 stamp=$STATE/applied/$1 sum
  shift
  sum=$(cat -- "$@" | sha256sum)
  if systemctl -q is-active "$unit" && [[ -e $stamp && $(< "$stamp") == "$sum" ]]; then return; fi
  systemctl -q enable "$unit"
  systemctl restart "$unit"
  put "$stamp" 600 <<< "$sum"
}

# pin_key FILE FINGERPRINT KEYRING: of the keys in FILE, the one with this primary fingerprint; as text
# for a KEYRING that ends with .asc.
pin_key() {
  local home found gpg
  home=$(mktemp -d "$WORK/gpg.XXXXXX")
  gpg=(gpg --batch --quiet --no-autostart --homedir "$home")
  [[ $3 != *.asc ]] || gpg+=(--armor)
  "${gpg[@]}" --import "$1" 2> /dev/null || fail "there is no OpenPGP key in ${1##*/}"
  "${gpg[@]}" --export "$2" > "$WORK/pinned" 2> /dev/null
  # A stranger's key may carry the wanted one as a subkey: the first fingerprint is the primary one's.
  found=$("${gpg[@]}" --with-colons --show-keys "$WORK/pinned" 2> /dev/null | awk -F: '/^fpr/ && !n++ {print $10}') || true
  [[ $found == "$2" ]] || fail "${1##*/} holds no key with the fingerprint $2"
  put "$3" 644 < "$WORK/pinned"
}

# TLS and tokens fail in odd ways on a wrong clock. One program sets it.
synchronize_time() {
  local unit chrony=chronyd file=/etc/chrony.conf
  [[ $PACKAGES == dnf ]] || chrony=chrony file=/etc/chrony/chrony.conf
  for unit in ntp ntpd ntpsec systemd-timesyncd; do
    if systemctl -q is-enabled "$unit" 2> /dev/null; then systemctl -q disable --now "$unit"; fi
  done
  if [[ $ON_EC2 == true ]]; then
    block "$file" <<< $'server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\nmakestep 1 3'
  fi
  apply "$chrony.service" "$file"
  chronyc waitsync 60 1 0 1 > /dev/null || fail 'the clock is more than a second off after a minute of chrony'
}

# What the units read, and the units themselves, which are files of this folder.
configure_units() {
  local unit scheme=http
  [[ $NOMAD_TLS == false ]] || scheme=https
  {
    printf '%s\n' "NOMAD_ADDR=$scheme://127.0.0.1:4646" "STATSD_HOST=$STATSD_HOST" "STATSD_PORT=$NOMAD_METRICS_PORT"
    if [[ $NOMAD_TLS == true ]]; then echo NOMAD_CACERT=/etc/nomad/tls/ca.pem; fi
    if [[ $NOMAD_ACL == true ]]; then printf 'NOMAD_TOKEN=%s\n' "$METRICS_TOKEN"; fi
  } | put /etc/caravan/client.env 600
  if [[ $NOMAD_ACL == true ]]; then printf 'NOMAD_TOKEN=%s\n' "$LIFECYCLE_TOKEN"; fi | put /etc/caravan/lifecycle.env 600
  for unit in "$CLIENT"/*.service "$CLIENT"/*.timer; do
    put "/etc/systemd/system/${unit##*/}" 644 < "$unit"
  done
  systemctl daemon-reload
}

start_units() {
  local units=/etc/systemd/system
  if [[ $BUILDS_MAY_USE_IMDS == false ]]; then
    apply caravan-firewall.service "$units/caravan-firewall.service" "$CLIENT/block-metadata"
  elif systemctl -q is-enabled caravan-firewall.service 2> /dev/null; then
    systemctl -q disable --now caravan-firewall.service
  fi
  apply nomad.service "$units/nomad.service" /etc/nomad/*.hcl /etc/caravan/proxy.env
  apply caravan-sweep.timer "$units"/caravan-sweep.*
  # Outside of EC2 nobody else ends the machine. What may not drain would hold it for two days.
  if [[ $NOMAD_ACL == true && -z $LIFECYCLE_TOKEN ]]; then log 'without lifecycle_token, nobody waits for builds here'; fi
  if [[ $FLEET_LIFECYCLE == true && $ON_EC2 == true && ($NOMAD_ACL == false || -n $LIFECYCLE_TOKEN) ]]; then
    apply caravan-lifecycle.service "$units/caravan-lifecycle.service" /etc/caravan/{client,proxy,lifecycle}.env
  elif systemctl -q is-enabled caravan-lifecycle.service 2> /dev/null; then
    systemctl -q disable --now caravan-lifecycle.service
  fi
  if [[ -n $STATSD_HOST ]]; then apply nomad-metrics.service "$units/nomad-metrics.service" /etc/caravan/client.env; fi
}

# The machine says itself that it is well, or is none of the cluster's capacity.
check_itself() {
  # shellcheck source=/dev/null
  set -a && source /etc/caravan/client.env && set +a
  retry 60 2 agent_is_healthy || fail "the Nomad agent does not answer: journalctl -u nomad"
  if [[ $NOMAD_ACL == false || -n ${NOMAD_TOKEN:-} ]]; then
    retry 60 2 node_takes_work || fail "the node is not ready and eligible: nomad node status -self"
    # The metrics go to another machine by UDP, which tells nothing: one poll of ours is looked at here.
    /opt/nodejs/bin/node "$CLIENT/await-poll.mjs" || fail 'nomad-metrics cannot read the Nomad agent'
  fi
  if [[ $BUILDS_MAY_USE_IMDS == false ]]; then
    iptables -w -C DOCKER-USER -d 169.254.169.254/32 -j REJECT || fail 'builds can reach the metadata service'
  fi
}

agent_is_healthy() {
  curl -fs --noproxy '*' --max-time 5 ${NOMAD_CACERT:+--cacert "$NOMAD_CACERT"} -o /dev/null "$NOMAD_ADDR/v1/agent/health?type=client"
}

node_takes_work() {
  nomad node status -self -json 2> /dev/null | jq -e '.Status == "ready" and .SchedulingEligibility == "eligible"' > /dev/null
}

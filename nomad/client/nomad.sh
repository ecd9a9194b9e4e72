# The Nomad client: a release whose signature is checked, and its configuration.
# shellcheck shell=bash

# The vendor signs the list of checksums, the list vouches for the archive.
install_nomad() {
  local name=nomad_${NOMAD_VERSION} archive=nomad_${NOMAD_VERSION}_linux_$ARCH.zip
  if [[ -x /usr/bin/nomad && $(/usr/bin/nomad version) == "Nomad v$NOMAD_VERSION"* ]]; then return; fi
  mkdir -p "$WORK/nomad"
  fetch "$NOMAD_KEY_URL" "$WORK/nomad.asc"
  pin_key "$WORK/nomad.asc" "$NOMAD_KEY_FINGERPRINT" /etc/caravan/nomad.gpg
  fetch "$NOMAD_RELEASES/$NOMAD_VERSION/${name}_SHA256SUMS" "$WORK/nomad/sums"
  fetch "$NOMAD_RELEASES/$NOMAD_VERSION/${name}_SHA256SUMS.sig" "$WORK/nomad/sums.sig"
  gpg --batch --quiet --no-autostart --homedir "$WORK" --no-default-keyring --keyring /etc/caravan/nomad.gpg \
    --trust-model always --verify "$WORK/nomad/sums.sig" "$WORK/nomad/sums" 2> "$WORK/gpg.log" \
    || fail "the checksums of Nomad $NOMAD_VERSION are not signed by $NOMAD_KEY_FINGERPRINT: $(tail -n 1 "$WORK/gpg.log")"
  fetch "$NOMAD_RELEASES/$NOMAD_VERSION/$archive" "$WORK/nomad/$archive"
  check_sum "$WORK/nomad/$archive" "$(awk -v name="$archive" '$2 == name {print $1}' "$WORK/nomad/sums")"
  unzip -q -o "$WORK/nomad/$archive" nomad -d "$WORK/nomad"
  put /usr/bin/nomad 755 < "$WORK/nomad/nomad"
}

# Certificates and the tokens of nomad-metrics and of the lifecycle come from where secrets are kept, never from user data.
fetch_secrets() {
  local name mode secrets='{}'
  METRICS_TOKEN='' LIFECYCLE_TOKEN=''
  [[ -z $SECRETS_COMMAND ]] || secrets=$(bash -c "$SECRETS_COMMAND") || fail 'SECRETS_COMMAND failed'
  jq -e 'type == "object"' <<< "$secrets" > /dev/null 2>&1 || fail 'SECRETS_COMMAND printed no JSON object'
  if [[ $NOMAD_TLS == true ]]; then
    for name in ca cert key; do
      jq -e --arg name $name '.[$name] | strings | contains("-----BEGIN ")' <<< "$secrets" > /dev/null \
        || fail "NOMAD_TLS needs $name, a PEM text, from SECRETS_COMMAND"
      mode=644
      [[ $name != key ]] || mode=600
      jq -r --arg name $name '.[$name]' <<< "$secrets" | put /etc/nomad/tls/$name.pem $mode
    done
  fi
  if [[ $NOMAD_ACL == true ]]; then
    METRICS_TOKEN=$(jq -r '.metrics_token // ""' <<< "$secrets")
    LIFECYCLE_TOKEN=$(jq -r '.lifecycle_token // ""' <<< "$secrets")
    [[ $METRICS_TOKEN$LIFECYCLE_TOKEN =~ ^[A-Za-z0-9._-]*$ ]] || fail 'a token holds characters that no token has'
  fi
}

# Any further /etc/nomad/*.hcl is the operator's, and is checked together with ours.
configure_nomad() {
  local folder=$WORK/config
  mkdir -p "$folder"
  find /etc/nomad -maxdepth 1 -name '*.hcl' -exec cp {} "$folder" \; 2> /dev/null || true
  nomad_config > "$folder/config.hcl"
  nomad config validate "$folder" > "$WORK/validate" 2>&1 || fail "Nomad refuses its configuration: $(< "$WORK/validate")"
  (umask 077 && mkdir -p "$NOMAD_DATA")
  put /etc/nomad/config.hcl 644 < "$folder/config.hcl"
}

nomad_config() {
  local others=env_gce,env_azure,env_digitalocean
  [[ $ON_EC2 == true ]] || others+=,env_aws
  cat << END
# Written by client-userdata.sh. What is yours goes into another file of this folder.
log_level  = "INFO"
name       = $(hcl "$NODE_NAME")
region     = $(hcl "$NOMAD_REGION")
datacenter = $(hcl "$NOMAD_DATACENTER")
data_dir   = $(hcl "$NOMAD_DATA")
bind_addr  = "0.0.0.0"

advertise {
  http = $(hcl "$PRIVATE_IP")
  rpc  = $(hcl "$PRIVATE_IP")
  serf = $(hcl "$PRIVATE_IP")
}

# Stopping or restarting Nomad leaves builds alone; who wants the machine empty drains it first. A drain
# on shutdown would need a deadline, and at its deadline Nomad ends builds.
leave_on_interrupt = false
leave_on_terminate = false

client {
  enabled    = true
  servers    = [$(nomad_servers)]
  node_class = $(hcl "$NOMAD_NODE_CLASS")
  node_pool  = $(hcl "$NOMAD_NODE_POOL")

  # 1 vCPU counts as 1000 MHz, whatever the machine's clock is: classes fit the same everywhere.
  cpu_total_compute = $(($(nproc) * 1000))

  # The address range of SSH into builds.
  min_dynamic_port = 64535
  max_dynamic_port = 65535

  # Agents need time to end steps and to send their output.
  max_kill_timeout = "5m"

  # Folders of ended allocations may hold output that the sweep has yet to deliver.
  gc_max_allocs           = 50
  gc_disk_usage_threshold = 80

  reserved {
    cpu            = $((RESERVED_VCPU * 1000))
    memory         = $RESERVED_MEMORY
    disk           = $RESERVED_DISK
    reserved_ports = "22,4646"
  }

  # No questions to the metadata services of other clouds.
  options {
    "fingerprint.denylist" = $(hcl "$others")
  }
}

plugin "raw_exec" {
  config {
    enabled = $NOMAD_RAW_EXEC
  }
}

# For other jobs than builds. Agents speak to Docker themselves: Nomad's own driver can not give tasks
# their folders under a remapped user namespace.
plugin "docker" {
  config {
    allow_privileged = false
    extra_labels     = ["job_name", "task_group_name", "task_name", "node_name"]
    volumes {
      enabled = false
    }
    gc {
      image = true
    }
  }
}
$(nomad_telemetry)
END
  if [[ $NOMAD_ACL == true ]]; then printf '\nacl {\n  enabled = true\n}\n'; fi
  if [[ $NOMAD_TLS == true ]]; then
    cat << 'END'

tls {
  http                   = true
  rpc                    = true
  ca_file                = "/etc/nomad/tls/ca.pem"
  cert_file              = "/etc/nomad/tls/cert.pem"
  key_file               = "/etc/nomad/tls/key.pem"
  verify_server_hostname = true
  # Callers show a token, not a certificate.
  verify_https_client = false
}
END
  fi
}

# Every sink is one that somebody reads: what nobody reads would be kept in memory.
nomad_telemetry() {
  [[ -n $STATSD_HOST ]] || return 0
  cat << END

telemetry {
  collection_interval  = "10s"
  disable_hostname     = true
  publish_node_metrics = true
  statsd_address       = $(hcl "$STATSD_HOST:$NOMAD_METRICS_PORT")
}
END
}

# Port 4647 where none is named.
nomad_servers() {
  local server list=()
  IFS=, read -ra list <<< "$NOMAD_SERVERS"
  for server in "${list[@]}"; do
    [[ $server =~ :[0-9]+$ ]] || server+=:4647
    printf '%s, ' "$(hcl "$server")"
  done | sed 's/, $//'
}

hcl() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//\$\{/\$\$\{}"
}

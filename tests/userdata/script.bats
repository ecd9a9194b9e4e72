# The files themselves.

setup() {
  load machine
  cd "$REPO" || return
}

@test "user data fits into the 16 KB that EC2 takes" {
  [[ $(wc -c < nomad/client-userdata.sh) -le 16384 ]]
}

@test "half a script runs nothing" {
  local size
  size=$(wc -c < nomad/client-userdata.sh)
  for part in 100 50 20 10 5; do
    run bash -c "head -c $((size - size / part - 5)) nomad/client-userdata.sh | env -i bash 2>&1"
    [[ $output != *caravan-userdata:* ]]
  done
}

@test "shellcheck has nothing to say, at its strictest" {
  need_tool shellcheck
  shellcheck -x -S style nomad/client-userdata.sh nomad/lifecycle-hook.sh
  shellcheck -x -S style nomad/client/*.sh nomad/client/block-metadata tests/userdata/{boot,fetch-dockerd,three-networks}
}

@test "shfmt has nothing to change" {
  need_tool shfmt
  shfmt -d nomad/client-userdata.sh nomad/lifecycle-hook.sh nomad/client/*.sh nomad/client/block-metadata
}

@test "systemd understands every unit" {
  need_tool systemd-analyze
  local units=$BATS_TEST_TMPDIR/units
  mkdir "$units"
  cp nomad/client/*.{service,timer} "$units"
  # It looks for the programs, which are not on this machine.
  sed -i -E 's#^(ExecStart=)/(usr/local/bin|usr/bin)/[a-z-]+#\1/bin/true#' "$units"/*.service
  systemd-analyze verify "$units"/*.service "$units"/*.timer 2>&1 | tee "$BATS_TEST_TMPDIR/said"
  [[ ! -s $BATS_TEST_TMPDIR/said ]]
}

@test "nomad-metrics can do little more than it has to" {
  need_tool systemd-analyze
  systemd-analyze security --offline=true --threshold=20 nomad/client/nomad-metrics.service
}

@test "the guide of installing names every setting, and no other" {
  diff <(sed -n "/^  done << 'PATTERNS'/,/^PATTERNS/p" nomad/client-userdata.sh | grep -oE '^[A-Z0-9_]+ ' | tr -d ' ' \
    | cat - <(printf '%s\n' SERVICES_PRIVATE_IP SECRETS_COMMAND AWS_EC2_METADATA_SERVICE_ENDPOINT) | sort) \
    <(sed -n '/^## Settings of a client/,/^## /p' docs/guides/install.md | grep -oE '^\| `[A-Z_0-9`, ]+' | grep -oE '[A-Z][A-Z0-9_]+' | sort)
}

@test "the commands of Nomad that the guides name are there, with their flags" {
  [[ -n ${NOMAD_BIN:-} ]] || skip 'no real Nomad here'
  local line words flag help faults=0
  while read -r line; do
    # Words up to the first that is a value: an option, a capital, a path, a number.
    words=$(grep -oE '^nomad( [a-z][a-z-]*)+' <<< "${line%% -*}" | cut -d' ' -f2-4)
    until help=$("$NOMAD_BIN" $words -h 2>&1) && [[ $help =~ Usage:[[:space:]]+nomad ]]; do
      [[ $words == *' '* ]] || break
      words=${words% *}
    done
    [[ $help =~ Usage:[[:space:]]+nomad ]] || { echo "no command: $line" && faults=1; }
    for flag in $(grep -oE ' -[a-z-]+' <<< "$line"); do
      [[ $help == *"$flag"* ]] || { echo "no $flag: $line" && faults=1; }
    done
  done < <(grep -hoE '(^|`)nomad [a-z][^`#|>]*' docs/guides/install.md docs/guides/operate.md | tr -d '`' | sort -u)
  [[ $faults == 0 ]]
}

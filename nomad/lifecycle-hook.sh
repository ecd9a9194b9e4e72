#!/usr/bin/env bash
# What a terminating lifecycle hook is for: waits until no build runs on an instance, and lets it go then.
#
#   lifecycle-hook.sh INSTANCE [HOOK]
#
# An example to start from, for groups whose instances do not look after themselves (those that
# nomad/client-userdata.sh made do, with `caravan fleet lifecycle`). Run it wherever the instance id of
# the event arrives and Nomad can be reached: a rule of EventBridge and SSM Run Command, a queue's
# reader, a terminal. It may run twice, and again after it was killed: whatever is done already stays so.
#
# HOOK is needed where the group has several terminating hooks. NOMAD_ADDR and NOMAD_TOKEN, AWS_REGION
# and credentials as everywhere; docs/guides/fleet.md and nomad/iam/hook-script.json tell which rights.
set -euo pipefail

instance=${1:?usage: lifecycle-hook.sh INSTANCE [HOOK]}
target=(--instance "$instance")
[[ -z ${2:-} ]] || target+=(--hook "$2")
# How often something that may pass is tried again, and how many seconds lie between.
tries=${TRIES:-20} pause=${PAUSE:-15}

say() { printf 'lifecycle-hook: %s: %s\n' "$instance" "$*" >&2; }

# run COMMAND...: 0 when it is done, the command's own code when trying again is of no use.
run() {
  local left=$tries code
  while true; do
    code=0
    ${CARAVAN:-caravan} fleet "$@" || code=$?
    case $code in
      0) return 0 ;;
      # Bad input, or somebody who wants this to end.
      2 | 130) return "$code" ;;
    esac
    ((--left > 0)) || return "$code"
    say "caravan fleet $1 ended with $code; again in $pause s"
    sleep "$pause"
  done
}

# No deadline: a build is waited for as long as heartbeats can hold the hook. Where that is too short
# for your builds, raise the hook's timeout rather than stop a build: `caravan fleet doctor` checks it.
run drain "${target[@]}" --wait --heartbeat
# It looks once more, and refuses while anything runs.
run complete "${target[@]}"
say 'goes on'

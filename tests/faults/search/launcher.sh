#!/bin/bash
# Stands in for the build-agent in its Nomad task: hands the slice over to the farm of its node, where
# the real agent runs with others in one process, and waits for its exit code. One slice of every build
# becomes a real agent process instead.
read -r port url node program slice < "$SEARCH_FARM"
export CARAVAN_URL=$url
if [ "${CARAVAN_SLICE##*-}" = "$slice" ]; then exec "$node" "$program" build-agent; fi
exec 3<> "/dev/tcp/127.0.0.1/$port" || exit 70
trap 'echo TERM >&3' TERM INT
echo "RUN $$" >&3
# Exits when the farm has told the code, or is gone. A signal in between is passed on.
while true; do
  read -r code <&3
  case $? in
    0) exit "$code" ;;
    1) exit 71 ;;
  esac
done

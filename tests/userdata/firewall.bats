# The rule itself, with the real iptables, in three networks of their own: a container, its host, and
# a metadata service. None of them reaches anything else.

setup() { load machine; }

@test "containers do not reach the metadata service, and everything else they do" {
  for tool in iptables ip; do need_tool $tool; done
  local namespaces=(--mount --net --fork --kill-child)
  [[ $EUID == 0 ]] || namespaces+=(--map-root-user)
  run timeout 60 unshare "${namespaces[@]}" bash "$REPO/tests/userdata/three-networks" "$REPO" "$BATS_TEST_TMPDIR"
  echo "$output"
  [[ $status == 0 ]]
  [[ $output == *'before: metadata 200, neighbour 200'* ]]
  [[ $output == *'after: metadata 000, neighbour 200'* ]]
  [[ $output == *'host: metadata 200'* ]]
  [[ $output == *'rules: 1'* ]]
}

/**
 * The keys of the hosts where most repositories lie: nobody is there to compare a fingerprint, and a host
 * that is trusted the first time it is seen is not known at all.
 *
 * Other hosts, such as one of your own, are known by `/etc/ssh/ssh_known_hosts` of the node.
 */
import { writeFile } from 'node:fs/promises'

/** As the hosts publish them. A host that changes its keys says so; then these follow. */
export const KNOWN_HOSTS = `\
github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
github.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=
gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf
gitlab.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFSMqzJeV9rUzU4kWitGjeR4PWSa29SPqJ1fVkhtj3Hw9xjLVXVYrU9QlYWrOLXBpQ6KWjbjTDTdDkoohFzgbEY=
bitbucket.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO
bitbucket.org ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPIQmuzMBuKdWeF4+a2sjSSpBK0iqitSQ+5BM9KhpexuGt20JpTVM7u5BDZngncgrqDMbWdxMWWOGtZ9UgbqgZE=
`

/** Those of the node come first. */
const NODE_FILES = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

/**
 * How git is to call ssh: it knows these hosts, and asks nobody.
 *
 * @param file where the keys are put.
 * @param shown where ssh finds them.
 * @returns text for a shell.
 */
export async function toSshCommand(file: string, shown = file): Promise<string> {
  // Public keys: whoever runs the steps may read them.
  await writeFile(file, KNOWN_HOSTS, { mode: 0o644 })
  // One shell reads it, and then ssh, which has quotes of its own.
  const files = [...NODE_FILES, shown].map((path) => `"${path.replaceAll("'", String.raw`'\''`)}"`)
  return `ssh -o BatchMode=yes -o 'GlobalKnownHostsFile ${files.join(' ')}'`
}

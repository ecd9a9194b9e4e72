/**
 * Keeps containers from the address at which a cloud tells a machine its credentials.
 *
 * A route inside the job's network that leads nowhere: what runs there has no right to remove it, and nothing
 * outside the job is touched. It takes root on the node and its `ip`; the node's firewall is the other guard.
 */
import { exec, type Log } from '../../../platform/index.ts'

const ADDRESSES = ['169.254.169.254/32', 'fd00:ec2::254/128'] as const
const TIMEOUT_MS = 10_000

/**
 * @param pid of a process in the network, on this machine.
 * @returns whether the address of version 4 can not be reached from there.
 */
export async function blockMetadata(pid: number, log: Log): Promise<boolean> {
  const results = await Promise.all(ADDRESSES.map(async (address) => await prohibit(pid, address)))
  if (results[0] !== null) log.warn('the metadata address is not blocked', { why: results[0] })
  return results[0] === null
}

/** @returns why it did not work. */
async function prohibit(pid: number, address: string): Promise<string | null> {
  const family = address.includes(':') ? '-6' : '-4'
  const words = ['ip', family, 'route', 'replace', 'prohibit', address]
  try {
    const args = [`--net=/proc/${pid}/ns/net`, ...words]
    const done = await exec('nsenter', args, { env: CLEAN, timeoutMs: TIMEOUT_MS })
    return done.code === 0 ? null : done.stderr.trim()
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

const CLEAN = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }

/** Node.js of the majors that the package is for, from npm. */
import { join } from 'node:path'
import { exec } from '../../../src/platform/index.ts'

/** Some 40 MB over a slow line. */
const INSTALL_TIMEOUT_MS = 180_000

/**
 * @returns the path of its binary; null when npm has none to give, which is a failure where `CI` is `true`.
 */
export async function installNode(major: string, folder: string): Promise<string | null> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  const args = ['install', '--silent', '--no-save', '--prefix', folder, `node@${major}`]
  const { code } = await exec('npm', args, { cwd: folder, timeoutMs: INSTALL_TIMEOUT_MS })
  if (code === 0) return join(folder, 'node_modules/node/bin/node')
  if (process.env['CI'] === 'true') throw new Error(`npm could not install node@${major}`)
  return null
}

/** The package as people get it: for benches and tests that want no sources beside them. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exec } from '../src/platform/index.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TIMEOUT_MS = 120_000

/** Builds, packs and unpacks. @returns the launcher, in `folder`, which is made. */
export async function installCaravan(folder: string): Promise<string> {
  return await unpackCaravan(await packCaravan(folder), join(folder, 'caravan'))
}

/**
 * Builds and packs.
 *
 * @param folder where the tarball goes; is made.
 * @returns its path.
 */
export async function packCaravan(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const args = ['pack', '--silent', '--pack-destination', folder]
  const stdout = await run('npm', args, ROOT)
  return join(folder, stdout.trim().split('\n').at(-1) ?? '')
}

/** @returns the launcher of Caravan, unpacked alone in `folder`, which is made. */
export async function unpackCaravan(tarball: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await run('tar', ['-xzf', tarball, '--strip-components=1'], folder)
  return join(folder, 'bin/caravan.mjs')
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await exec(program, args, { cwd, timeoutMs: TIMEOUT_MS })
  if (code === 0) return stdout.toString('utf8')
  throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`)
}

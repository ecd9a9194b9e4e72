/** A place for a Unix socket. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** The kernel takes at most 107 bytes: a checkout deep in an allocation is too long for `t.testdir`. */
export function aSocketPath(t: Pick<Test, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'socket-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'api.sock')
}

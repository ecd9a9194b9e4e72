import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isCaravanError } from '../../src/model/index.ts'
import { lockFolder } from '../../src/platform/index.ts'

const NOW_MS = 1_700_000_000_000
const module = fileURLToPath(new URL('../../src/platform/lock.ts', import.meta.url))

t.test('B88: a folder is locked once, and again after its release', async (t) => {
  const folder = join(t.testdir(), 'made/on/the/way')
  const lock = await lockFolder(folder, NOW_MS)
  await t.rejects(lockFolder(folder, NOW_MS), {
    code: 'DATA_DIR_LOCKED',
    message: new RegExp(`in use by process ${process.pid}, running since 2023-11-14T22:13:20.000Z`),
  })
  lock.release()
  const next = await lockFolder(folder, NOW_MS)
  next.release()
})

t.test('a process that is killed leaves no lock behind', async (t) => {
  const folder = t.testdir()
  const holder = await holdElsewhere(folder)
  t.teardown(() => holder.kill('SIGKILL'))
  await t.rejects(lockFolder(folder, NOW_MS), { message: new RegExp(`process ${holder.pid}`) })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const lock = await lockFolder(folder, NOW_MS)
  lock.release()
})

t.test('of many that start at once after a crash, one wins', async (t) => {
  const folder = t.testdir({ 'lock.json': 'torn', lock: '' })
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, () => lockFolder(folder, NOW_MS)),
  )
  const won = results.filter((each) => each.status === 'fulfilled')
  const lost = results.filter((each) => each.status === 'rejected')
  t.equal(won.length, 1)
  t.ok(lost.every((each) => isCaravanError(each.reason, 'DATA_DIR_LOCKED')))
  for (const each of won) each.value.release()
})

t.test('a folder that cannot be used tells the reason, not a lock', async (t) => {
  const file = join(t.testdir(), 'file')
  writeFileSync(file, '')
  await t.rejects(lockFolder(file, NOW_MS), { code: 'EEXIST' })
})

async function holdElsewhere(folder: string) {
  const script = `
    const { lockFolder } = await import(${JSON.stringify(module)})
    await lockFolder(${JSON.stringify(folder)}, 0)
    process.stdout.write('held')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

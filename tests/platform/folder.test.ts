import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { prepareFolder } from '../../src/platform/index.ts'

t.test('a folder is made with those above it, and taken as it is the next time', async (t) => {
  const folder = join(t.testdir(), 'made/on/the way')
  await prepareFolder(folder, '--data')
  const made = await stat(folder)
  t.ok(made.isDirectory())
  t.equal(made.mode & 0o077, 0, 'nobody else may look into it')
  await prepareFolder(folder, '--data')
})

t.test('two that make it at once both have it', async (t) => {
  const folder = join(t.testdir(), 'a/b/c/d')
  await Promise.all(Array.from({ length: 8 }, () => prepareFolder(folder, '--data')))
  t.ok((await stat(folder)).isDirectory())
})

t.test('a file in the way is told with the name of the flag', async (t) => {
  const folder = t.testdir({ file: 'text' })
  for (const path of [join(folder, 'file'), join(folder, 'file/below')]) {
    await t.rejects(prepareFolder(path, '--data'), {
      code: 'SETTINGS_INVALID',
      message: `--data: ${path}: a file stands in the way; name another folder`,
    })
  }
})

t.test('a place where nothing can be made is refused', { skip: noProc() }, async (t) => {
  await t.rejects(prepareFolder('/proc/caravan/data', 'server.data_dir'), {
    code: 'SETTINGS_INVALID',
    message: /^server\.data_dir: \/proc\/caravan\/data: no folder can be made there/,
  })
})

function noProc(): string | false {
  return process.platform === 'linux' ? false : 'only Linux has /proc'
}

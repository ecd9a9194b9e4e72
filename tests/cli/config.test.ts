import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { configCheck, configExpansion } from '../../src/model/index.ts'
import { runProgram } from '../../src/cli/program.ts'
import type { Io } from '../../src/cli/io.ts'

const FILE = [
  'version: 2.1',
  'orbs: {slack: circleci/slack@4}',
  'executors:',
  '  node: {docker: [{image: "cimg/node:22.1"}, {image: postgres}], resource_class: large}',
  'commands:',
  '  install: {steps: [checkout, run: npm ci]}',
  'jobs:',
  '  test: {executor: node, parallelism: 4, steps: [install, run: npm test]}',
  '  notify: {machine: true, steps: [slack/notify]}',
  'workflows: {main: {jobs: [test]}}',
].join('\n')

async function caravan(cwd: string, argv: string[], isTTY = false) {
  const written = { out: '', err: '' }
  const stream = (key: 'out' | 'err') => ({
    write(text: string | Uint8Array) {
      written[key] += String(text)
      return true
    },
    isTTY,
    once: () => {},
    off: () => {},
  })
  const io: Io = {
    stdout: stream('out'),
    stderr: stream('err'),
    env: {},
    cwd,
    signal: new AbortController().signal,
  }
  const code = await runProgram(['node', 'caravan', 'config', ...argv], io)
  return { code, ...written }
}

/** Outside of any checkout, whose own configuration would be found first. */
async function folderWith(test: Pick<typeof t, 'teardown'>, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-config-'))
  test.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, '.circleci'))
  await writeFile(join(folder, '.circleci/config.yml'), text)
  return folder
}

t.test('a check tells of every job whether it can run, and why not', async (t) => {
  const cwd = await folderWith(t, FILE)
  const { code, out, err } = await caravan(cwd, ['check', '.circleci/config.yml'])
  const file = '.circleci/config.yml'
  t.equal(code, 0)
  t.equal(err, '')
  t.strictSame(out.split('\n'), [
    `${file}: 1 of 2 jobs can run`,
    '',
    'test  docker cimg/node:22.1 and 1 service, large, 4 slices, 3 steps',
    `  ${file}:2:1: \`orbs\`, \`workflows\` of the file are left alone: ` +
      'the job is run alone, as it stands under `jobs`',
    '',
    'notify  can not run',
    `  ${file}:9:35: not supported yet: \`slack/notify\`, a command of the orb \`slack\` ` +
      '(jobs.notify.steps[0]): write its steps into the job',
    '',
  ])
  const coloured = await caravan(cwd, ['check', file], true)
  t.match(coloured.out, '\u001B[31mcan not run\u001B[0m')
})

t.test('a check ends with 2 when no job can run, or the file can not be read', async (t) => {
  const cwd = await folderWith(t, FILE.replace('[install,', '[missing,'))
  const none = await caravan(cwd, ['check'])
  t.equal(none.code, 2)
  t.match(none.out, '0 of 2 jobs can run')
  await writeFile(join(cwd, 'tab.yml'), 'version: 2.1\njobs:\n\ttest: {}\n')
  const broken = await caravan(cwd, ['check', 'tab.yml'])
  t.equal(broken.code, 2)
  t.equal(
    broken.out,
    'tab.yml can not be read\n  tab.yml:3:1: a tab is used as indentation: YAML allows only spaces\n',
  )
  await t.rejects(caravan(cwd, ['check', 'gone.yml']), { message: 'there is no file gone.yml' })
})

t.test('what is no file of words is refused in a line, however large it is', async (t) => {
  const cwd = await folderWith(t, FILE)
  const refused = async (name: string) =>
    await caravan(cwd, ['check', name]).then(
      ({ code, out }) => `${code} ${out}`,
      (error: unknown) => `2 ${error instanceof Error ? error.message : String(error)}`,
    )
  t.match(await refused('/dev/zero'), /^2 cannot read \/dev\/zero: it is larger than 4 MiB/)
  t.match(await refused('.circleci'), /^2 cannot read .*: it is a folder/)
  t.match(await refused('missing.yml'), /^2 there is no file missing\.yml/)
  await writeFile(join(cwd, 'large.yml'), `a: ${'x'.repeat(2_000_000)}`)
  t.match(await refused('large.yml'), /^2 [^]*large\.yml:1:1: the file has 2000003 characters/)
  await writeFile(
    join(cwd, 'program'),
    Buffer.from(Array.from({ length: 4000 }, (_, at) => at % 251)),
  )
  t.match(await refused('program'), /^2 cannot read .*program: it is no text in UTF-8/)
})

t.test('scripts get one object, of the shape that is documented', async (t) => {
  const cwd = await folderWith(t, FILE)
  const check = await caravan(cwd, ['check', '--json'])
  t.match(configCheck.parse(JSON.parse(check.out)), {
    file: '.circleci/config.yml',
    problems: [],
    jobs: [
      { name: 'test', can_run: true, problems: [], warnings: [{ line: 2, column: 1 }] },
      { name: 'notify', can_run: false, problems: [{ line: 9, path: 'jobs.notify.steps[0]' }] },
    ],
  })
  const expand = await caravan(cwd, ['expand', '--json'])
  t.equal(expand.code, 0)
  t.match(configExpansion.parse(JSON.parse(expand.out)), {
    jobs: [{ name: 'test', executor: { kind: 'docker' }, steps: [{ kind: 'checkout' }, {}, {}] }],
    problems: [{ line: 9 }],
  })
})

t.test('what is expanded can be run in the place of the file', async (t) => {
  const cwd = await folderWith(t, FILE)
  const { code, out, err } = await caravan(cwd, ['expand'])
  t.equal(code, 0)
  t.match(err, /^caravan: \.circleci\/config\.yml:9:35: not supported yet: `slack\/notify`/)
  await writeFile(join(cwd, 'expanded.yml'), out)
  const again = await caravan(cwd, ['expand', 'expanded.yml'])
  t.strictSame([again.code, again.out, again.err], [0, out, ''])
  const one = await caravan(cwd, ['expand', '--job', 'test'])
  t.strictSame([one.code, one.out, one.err], [0, out, ''])
  const other = await caravan(cwd, ['expand', '--job', 'tset'])
  t.equal(other.code, 2)
  t.equal(other.out, '')
  t.match(other.err, 'did you mean `test`?')
})

t.test('classes of the settings are known', async (t) => {
  const cwd = await folderWith(t, FILE.replace('large', 'xlarge'))
  t.equal((await caravan(cwd, ['check'])).code, 2)
  await writeFile(join(cwd, 'caravan.hcl'), 'class "xlarge" {\n  vcpu = 8\n  memory = 16384\n}\n')
  const { code, out } = await caravan(cwd, ['check', '--settings', join(cwd, 'caravan.hcl')])
  t.equal(code, 0, out)
})

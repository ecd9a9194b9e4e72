import t from 'tap'
import { CONTAINERS_MAX, toVariableName } from '../../../src/model/index.ts'
import type { ContainerSpec } from '../../../src/model/index.ts'
import { compiled, jobWith, refusals, warnings } from './support.ts'

function containers(lines: string): readonly ContainerSpec[] {
  const { executor } = compiled(jobWith(`docker:\n${lines}\nsteps: [checkout]`))
  return executor.kind === 'docker' ? executor.containers : []
}

function refused(lines: string): string[] {
  return refusals(jobWith(`docker:\n${lines}\nsteps: [checkout]`))
}

t.test('the first container is the primary, the others are services in their order', async (t) => {
  const lines = [
    '  - image: cimg/node:22.1',
    '    user: "1000:1000"',
    '    environment: {A: 0123}',
    '    auth: {username: robot, password: $DOCKER_TOKEN}',
    '  - image: registry.example.org:5000/db@sha256:0123',
    '    name: db.local',
    '    entrypoint: [/bin/sh, -c]',
    '    command: postgres -c "max connections=5" \\#x',
    '    environment: [B=x=y, {C: }]',
  ].join('\n')
  t.strictSame(containers(lines), [
    {
      image: 'cimg/node:22.1',
      user: '1000:1000',
      environment: { A: '0123' },
      auth: { username: 'robot', password: '$DOCKER_TOKEN' },
    },
    {
      image: 'registry.example.org:5000/db@sha256:0123',
      name: 'db.local',
      entrypoint: ['/bin/sh', '-c'],
      command: ['postgres', '-c', 'max connections=5', '#x'],
      environment: { B: 'x=y', C: '' },
    },
  ])
  t.strictSame(containers('  - image: busybox'), [{ image: 'busybox', environment: {} }])
})

t.test(
  'an empty entrypoint or command means none, one left out means that of the image',
  async (t) => {
    for (const written of ['""', '[]', '', '~']) {
      const [container] = containers(`  - {image: x, entrypoint: ${written}, command: ${written}}`)
      t.strictSame(container, { image: 'x', entrypoint: [], command: [], environment: {} }, written)
    }
  },
)

t.test('a password in the file is warned about, a reference is not', async (t) => {
  const job = (password: string) =>
    jobWith(`docker: [{image: x, auth: {username: me, password: ${password}}}]\nsteps: [checkout]`)
  t.strictSame(warnings(job('secret')), [
    '4:56: the password itself stands in the file (jobs.test.docker[0].auth.password): ' +
      'write `$NAME`, and give the build a variable of that name',
  ])
  t.strictSame(warnings(job('"${TOKEN}"')), [])
  t.equal(toVariableName('$A_1'), 'A_1')
  t.equal(toVariableName('${A}'), 'A')
  for (const text of ['A', '$1', '$A-B', '${A', 'x$A', '$', '$A}'])
    t.equal(toVariableName(text), null)
})

t.test('what no container can be is refused at its place', async (t) => {
  const cases: [string, string][] = [
    ['  - name: db', '5:9: a container needs an `image` (jobs.test.docker[0])'],
    [
      '  - image: "a b"',
      '5:16: not the name of an image: `a b` (jobs.test.docker[0].image): ' +
        'write one such as `cimg/node:22.1`',
    ],
    [
      '  - {image: x, name: a_b}',
      '5:26: not a name that a host can have: `a_b` (jobs.test.docker[0].name): ' +
        'letters, digits, `-` and `.`',
    ],
    [
      '  - {image: x, name: a}\n  - {image: y, name: a}',
      '6:9: two containers have the name `a` (jobs.test.docker[1])',
    ],
    [
      `  - {image: x, command: "sh 'c"}`,
      "5:29: the text has an open quote: `sh 'c` (jobs.test.docker[0].command)",
    ],
    [
      '  - {image: x, aws_auth: {}}',
      '5:20: not supported yet: `aws_auth` (jobs.test.docker[0].aws_auth): ' +
        'log in with `auth`: user `AWS`, password of `aws ecr get-login-password`',
    ],
    [
      '  - {image: x, ports: [1]}',
      '5:20: not supported yet: `ports` (jobs.test.docker[0].ports): ' +
        'remove it, every port answers on `localhost` already',
    ],
    [
      '  - {image: x, auth: {username: me}}',
      '5:26: `auth` needs a `password` (jobs.test.docker[0].auth)',
    ],
    ['  - x', '5:9: not a map but `x` (jobs.test.docker[0])'],
    [
      '  image: x',
      '5:7: not a list of containers but a map (jobs.test.docker): write `- image: NAME`',
    ],
    ['  []', '5:7: a job needs at least one container (jobs.test.docker)'],
  ]
  for (const [lines, expected] of cases) t.strictSame(refused(lines), [expected], lines)
  const many = '  - {image: x}\n'.repeat(CONTAINERS_MAX + 1)
  t.match(refused(many), [`${CONTAINERS_MAX + 1} containers: a job has at most ${CONTAINERS_MAX}`])
  t.equal(containers('  - {image: x}\n'.repeat(CONTAINERS_MAX)).length, CONTAINERS_MAX)
})

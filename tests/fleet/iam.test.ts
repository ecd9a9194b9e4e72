/** The policies name the calls that the code makes, and no other. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { z } from 'zod'

const root = fileURLToPath(new URL('../..', import.meta.url))

const policy = z.object({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.object({
      Sid: z.string().regex(/^[A-Za-z0-9]+$/),
      Effect: z.literal('Allow'),
      Action: z.array(z.string()),
      Resource: z.string(),
    }),
  ),
})

function actionsOf(name: string): string[] {
  const { Statement } = policy.parse(
    JSON.parse(readFileSync(`${root}/nomad/iam/${name}.json`, 'utf8')),
  )
  return Statement.flatMap(({ Action }) => Action).toSorted()
}

const SERVICES: Readonly<Record<string, string>> = {
  'groups.ts': 'autoscaling',
  'instances.ts': 'ec2',
  'secrets.ts': 'secretsmanager',
}

/** By method of the port that makes it. */
function readCalls(): string[] {
  const folder = `${root}/src/platform/aws`
  return readdirSync(folder).flatMap((file) => {
    const text = readFileSync(`${folder}/${file}`, 'utf8')
    return [...text.matchAll(/new sdk\.(\w+)Command\(/g)].map(
      ([, call]) => `${SERVICES[file] ?? file}:${call}`,
    )
  })
}

const ALL = ['controller', 'hook-script', 'instance', 'polling-runners']

t.test('together they allow every call that the code makes, and nothing besides', (t) => {
  const files = readdirSync(`${root}/nomad/iam`).toSorted()
  t.same(
    files,
    ALL.map((name) => `${name}.json`),
  )
  // Called by the user data, with the command of AWS.
  const calls = new Set([...readCalls(), 'autoscaling:SetInstanceHealth'])
  t.same([...new Set(ALL.flatMap(actionsOf))].toSorted(), [...calls].toSorted())
  t.end()
})

t.test(
  'what changes something is limited to groups, and what ends machines to those of groups',
  (t) => {
    for (const name of ALL) {
      const { Statement } = policy.parse(
        JSON.parse(readFileSync(`${root}/nomad/iam/${name}.json`, 'utf8')),
      )
      for (const { Action, Resource } of Statement) {
        const isReading = Action.every((action) => /:Describe/.test(action))
        t.equal(Resource === '*', isReading, `${name}: ${Action.join()}`)
      }
    }
    t.match(
      readFileSync(`${root}/nomad/iam/controller.json`, 'utf8'),
      /aws:ResourceTag\/aws:autoscaling:groupName/,
    )
    t.end()
  },
)

t.test(
  'an instance may do no more than hold itself, complete itself, and say that it is not well',
  (t) => {
    t.same(actionsOf('instance'), [
      'autoscaling:CompleteLifecycleAction',
      'autoscaling:DescribeAutoScalingInstances',
      'autoscaling:DescribeLifecycleHooks',
      'autoscaling:RecordLifecycleActionHeartbeat',
      'autoscaling:SetInstanceHealth',
    ])
    t.same(
      actionsOf('hook-script'),
      actionsOf('instance').filter((action) => !action.endsWith('SetInstanceHealth')),
    )
    t.end()
  },
)

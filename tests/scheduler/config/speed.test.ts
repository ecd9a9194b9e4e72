import t from 'tap'
import { parse } from 'yaml'
import { compiled } from './support.ts'

/** Of several runs the fastest one: the others were disturbed. */
function fastestMs(run: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY
  for (let round = 0; round < 8; round++) {
    const start = performance.now()
    run()
    fastest = Math.min(fastest, performance.now() - start)
  }
  return fastest
}

t.test('the check of a long file costs at most three times its bare parse', async (t) => {
  const lines = [
    'version: 2.1',
    'defaults: &defaults',
    '  machine: true',
    '  environment: &environment {A: 1}',
    'jobs:',
    '  test:',
    '    <<: *defaults',
    '    steps:',
    '      - checkout',
  ]
  for (let step = 0; lines.length < 3000; step++) {
    lines.push(
      '      - run:',
      `          name: Step ${step}`,
      '          command: |',
      '            npm ci',
      '            npm test -- --shard "$CIRCLE_NODE_INDEX"',
      '          environment:',
      '            <<: *environment',
      `            NAME_${step}: "value"`,
      '          no_output_timeout: 20m',
    )
  }
  const text = lines.join('\n')
  const bareMs = fastestMs(() => parse(text, { merge: true, maxAliasCount: -1 }))
  const checkMs = fastestMs(() => compiled(text))
  t.ok(checkMs <= 3 * bareMs, `${checkMs.toFixed(1)} ms against ${bareMs.toFixed(1)} ms`)
})

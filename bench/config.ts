/** Checking a long configuration file, against reading it as YAML and no more. */
import { parse } from 'yaml'
import { BUILT_IN_CLASSES } from '../src/model/index.ts'
import { checkConfig } from '../src/scheduler/config/index.ts'
import type { Bench } from './harness/bench.ts'

const LINES = 3000
const TIMES_MAX = 3
/** Enough for a steady median: one pair takes a quarter of a second. */
const ROUNDS = 20
/** The compiler of the runtime needs a few. */
const WARMUPS = 5

export const config: Bench = {
  name: 'config',
  against: '`yaml` reading the same file into plain values',
  reach: `at most ${TIMES_MAX} times as long for ${LINES} lines`,
  async run({ clock, interleave, note }) {
    const files = { 'one job': oneJob(), 'many jobs': manyJobs() }
    const figures: Record<string, number> = {}
    const missed: string[] = []
    for (const [shape, text] of Object.entries(files)) {
      note(`${shape}: ${text.split('\n').length - 1} lines, ${text.length} characters`)
      const timed = (run: () => void) => () => {
        const startMs = clock.monotonic()
        run()
        return clock.monotonic() - startMs
      }
      const { check, bare } = await interleave(
        { check: timed(() => checkOnce(text)), bare: timed(() => void readBare(text)) },
        { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' },
      )
      const key = shape.replace(' ', '_')
      const ratio = check.ratioTo(bare)
      Object.assign(figures, { [`${key}_ratio`]: ratio, [`${key}_ms`]: check.median })
      if (ratio > TIMES_MAX) missed.push(`${shape}: ${ratio.toFixed(2)} times the bare parse`)
    }
    const ratio = Math.max(figures['one_job_ratio'] ?? 0, figures['many_jobs_ratio'] ?? 0)
    return { ratio, missed, figures }
  },
}

const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))

function checkOnce(text: string): void {
  const options = { file: 'config.yml', classes, noOutputMs: 600_000 }
  const outcome = checkConfig(text, options)
  const able = outcome.kind === 'checked' && outcome.jobs.every(({ job }) => job !== null)
  if (!able) throw new Error(`not compiled: ${JSON.stringify(outcome)}`)
}

/** Merge keys and aliases, which such files are full of, are allowed here too. */
function readBare(text: string): unknown {
  return parse(text, { merge: true, maxAliasCount: -1 })
}

const HEAD = [
  'version: 2.1',
  'executors:',
  '  node:',
  '    docker: [{image: "cimg/node:22.1"}, {image: postgres, name: db}]',
  'commands:',
  '  install:',
  '    steps: [checkout, run: npm ci]',
  'defaults: &defaults',
  '  executor: node',
  '  resource_class: large',
  '  environment: &environment',
  '    NODE_ENV: test',
  '    RETRIES: 3',
  'jobs:',
]

/** Every line is compiled. */
function oneJob(): string {
  return fill([...HEAD, ...jobHead('test')], stepLines)
}

/** As files grow in practice: jobs that share an executor, a command and defaults. */
function manyJobs(): string {
  const job = (number: number) => [
    ...jobHead(number === 0 ? 'test' : `job-${number}`),
    ...[0, 1, 2].flatMap(stepLines),
  ]
  return fill(HEAD, job)
}

/** Whole pieces only, a comment for each line that is left. */
function fill(lines: string[], more: (number: number) => string[]): string {
  for (let number = 0; ; number++) {
    const piece = more(number)
    if (lines.length + piece.length > LINES) break
    lines.push(...piece)
  }
  while (lines.length < LINES) lines.push('# the end')
  return `${lines.join('\n')}\n`
}

function jobHead(name: string): string[] {
  return [
    `  ${name}:`,
    '    <<: *defaults',
    '    parallelism: 4',
    '    working_directory: ~/project/app # a comment',
    '    steps:',
    '      - install',
  ]
}

function stepLines(number: number): string[] {
  return [
    '      - run: "npm ci --no-audit"',
    '      - run:',
    '          command: |',
    '            set -x',
    '            npm test -- --shard "$CIRCLE_NODE_INDEX/$CIRCLE_NODE_TOTAL"',
    '',
    '            echo "all of it ran"',
    `          name: Test part ${number}`,
    '          environment:',
    '            <<: *environment',
    `            PART_${number}: 'part ${number}'`,
    '          no_output_timeout: 20m',
    '          when: always',
  ]
}

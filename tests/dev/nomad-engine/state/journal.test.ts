import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { openJournal } from '../../../../src/dev/nomad-engine/state/journal.ts'
import { State, toWrites } from '../../../../src/dev/nomad-engine/state/state.ts'
import { toJobKey } from '../../../../src/dev/nomad-engine/state/rows.ts'
import type { Write } from '../../../../src/dev/nomad-engine/state/rows.ts'
import { silentLog } from '../../../../src/platform/index.ts'
import { aNode, anAllocation, aStoredJob } from '../builders.ts'

/** Everything a state holds, in an order of its own. */
function contentOf(state: State): unknown {
  const writes = [...toWrites(state)].map((write) => JSON.stringify(write)).sort()
  return { index: state.index, writes }
}

/** Reads the folder as the next process would. */
function reopen(folder: string): State {
  const state = new State()
  openJournal(folder, state, silentLog).close()
  return state
}

t.test('what was committed is there again, whatever it was', (t) => {
  const job = (id: string, Version: number) => aStoredJob(id, {}, { Version })
  const step = fc.oneof(
    fc.record({ kind: fc.constant('register' as const), id: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('place' as const), id: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('patch' as const), id: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('purge' as const), id: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('node' as const), id: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ kind: fc.constant('reopen' as const), id: fc.constant(0) }),
  )
  const base = t.testdir()
  let folders = 0
  const property = fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
    const folder = join(base, String(++folders))
    mkdirSync(folder)
    let state = new State()
    let journal = openJournal(folder, state, silentLog)
    const versions = new Map<string, number>()
    const placed: string[] = []
    for (const { kind, id } of steps) {
      const name = `job-${id}`
      const key = toJobKey({ Namespace: 'default', ID: name })
      const stored = state.tables.job.get(key)
      const writes: Write[] = []
      if (kind === 'register') {
        const version = stored ? stored.Version + 1 : 0
        versions.set(name, version)
        writes.push({ table: 'job', key, put: job(name, version) })
      } else if (kind === 'place' && stored) {
        const put = anAllocation(stored)
        placed.push(put.ID)
        writes.push({ table: 'allocation', key: put.ID, put })
      } else if (kind === 'patch' && placed[id] !== undefined) {
        writes.push({ table: 'allocation', key: placed[id], patch: { ClientStatus: 'complete' } })
      } else if (kind === 'purge') writes.push({ table: 'job', key, drop: true })
      else if (kind === 'node') {
        const put = aNode({ name: `n${id}` })
        writes.push({ table: 'node', key: put.ID, put })
      } else if (kind === 'reopen') {
        journal.close()
        state = new State()
        journal = openJournal(folder, state, silentLog)
        continue
      }
      state.commit('Internal', writes)
    }
    journal.flush()
    // Not closed: the process was killed here.
    return isDeepStrictEqual(contentOf(reopen(folder)), contentOf(state))
  })
  fc.assert(property, { numRuns: 30 })
  t.pass('30 lives')
  t.end()
})

t.test('a line that was being written when the process died is left out', (t) => {
  const folder = t.testdir()
  const state = new State()
  const journal = openJournal(folder, state, silentLog)
  const put = aNode()
  state.commit('NodeRegistration', [{ table: 'node', key: put.ID, put }])
  journal.flush()
  const file = join(folder, 'journal.ndjson')
  const whole = readFileSync(file, 'utf8')
  appendFileSync(file, whole.split('\n')[1]?.slice(0, 40) ?? '')
  t.same(reopen(folder).tables.node.get(put.ID), state.tables.node.get(put.ID))
  t.end()
})

t.test('damage in the middle is an error, not a smaller state', (t) => {
  const folder = t.testdir()
  const state = new State()
  const journal = openJournal(folder, state, silentLog)
  for (let count = 0; count < 3; count++) {
    const put = aNode()
    state.commit('NodeRegistration', [{ table: 'node', key: put.ID, put }])
  }
  journal.flush()
  const file = join(folder, 'journal.ndjson')
  const lines = readFileSync(file, 'utf8').split('\n')
  lines[2] = lines[2]?.slice(5) ?? ''
  writeFileSync(file, lines.join('\n'))
  t.throws(() => reopen(folder), { code: 'STORE_FAILED' })
  t.end()
})

t.test('nobody outside hears of a commit before it is written', (t) => {
  const folder = t.testdir()
  const state = new State()
  const journal = openJournal(folder, state, silentLog)
  const file = join(folder, 'journal.ndjson')
  const put = aNode()
  let told = 0
  journal.onFlush(() => {
    told++
    t.match(readFileSync(file, 'utf8'), put.ID)
  })
  state.commit('NodeRegistration', [{ table: 'node', key: put.ID, put }])
  t.equal(told, 0)
  journal.flush()
  t.equal(told, 1)
  journal.flush()
  t.equal(told, 1, 'nothing new')
  journal.close()
  t.end()
})

/** A few inputs of each target, always the same; `npm run test:fuzz` has thousands, and others each time. */
import t from 'tap'
import { fuzzAgents } from './targets/agent.ts'
import { fuzzConfigs, fuzzSettings, fuzzTemplates } from './targets/files.ts'
import { fuzzHttp } from './targets/http.ts'
import { fuzzNomad } from './targets/nomad.ts'

const few = { runs: 200, seed: 1 }

t.test('requests of people', (t) => fuzzHttp(t, few))
t.test('calls of agents', (t) => fuzzAgents(t, few))
t.test('answers of Nomad', (t) => fuzzNomad(t, few))
t.test('configurations of builds', (t) => fuzzConfigs(t, few))
t.test('settings', (t) => fuzzSettings(t, few))
t.test('job templates', (t) => fuzzTemplates(t, { ...few, runs: 50 }))

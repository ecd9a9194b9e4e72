import t from 'tap'
import { readOptions } from './harness.ts'
import { fuzzAgents } from './targets/agent.ts'
import { fuzzHttp } from './targets/http.ts'

t.test('requests of people', (t) => fuzzHttp(t, readOptions()))
t.test('calls of agents', (t) => fuzzAgents(t, readOptions()))

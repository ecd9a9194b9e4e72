import t from 'tap'
import { readOptions } from './harness.ts'
import { fuzzNomad } from './targets/nomad.ts'

t.test('answers of Nomad', (t) => fuzzNomad(t, readOptions()))

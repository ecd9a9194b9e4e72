import t from 'tap'
import { readOptions } from './harness.ts'
import { fuzzConfigs, fuzzSettings } from './targets/files.ts'

t.test('configurations of builds', (t) => fuzzConfigs(t, readOptions()))
t.test('settings', (t) => fuzzSettings(t, readOptions()))

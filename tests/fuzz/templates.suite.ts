import t from 'tap'
import { readOptions } from './harness.ts'
import { fuzzTemplates } from './targets/files.ts'

t.test('job templates', (t) => fuzzTemplates(t, readOptions()))

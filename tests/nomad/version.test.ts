import t from 'tap'
import { hasFeature, parseNomadVersion } from '../../src/nomad/index.ts'

t.test('a version is read as Nomad prints it', (t) => {
  const same = { major: 1, minor: 11, patch: 5 }
  for (const text of ['1.11.5', 'v1.11.5', '1.11.5-rc.1', '1.11.5+ent', '1.11.5-dev+ent.fips']) {
    t.same(parseNomadVersion(text), { text, ...same })
  }
  for (const text of ['', 'dev', '1.11', 'nomad 1.2.3']) t.equal(parseNomadVersion(text), null)
  t.end()
})

t.test('a feature is there from its version on, and never in an unknown one', (t) => {
  const has = (text: string) => hasFeature(parseNomadVersion(text), 'atomic_create')
  for (const text of ['2.0.1', '2.0.10', '2.1.0', '3.0.0']) t.ok(has(text), text)
  for (const text of ['2.0.0', '1.99.99', '0.1.1', 'unreleased']) t.notOk(has(text), text)
  t.end()
})

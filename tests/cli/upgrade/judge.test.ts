import t from 'tap'
import { compareVersions, judge } from '../../../src/cli/upgrade/judge.ts'
import { windowOf } from '../../../src/model/index.ts'

const release = (version: string, protocol: number) => ({ version, protocols: windowOf(protocol) })

t.test('who has to be upgraded is told, and only when it is needed', (t) => {
  const rows: [installed: [string, number], server: [string, number], works: boolean, RegExp][] = [
    [['0.2.0', 2], ['0.2.0', 2], true, /^both are the same version$/],
    [['0.2.0', 2], ['0.3.0', 3], true, /protocol 2; Caravan 0\.3\.0 may be installed here$/],
    [
      ['0.3.0', 3],
      ['0.2.0', 2],
      true,
      /protocol 2; the server may be upgraded to Caravan 0\.3\.0$/,
    ],
    [
      ['0.4.0', 4],
      ['0.2.0', 2],
      false,
      /^upgrade the server to Caravan 0\.4\.0, or install Caravan 0\.2\.0 here$/,
    ],
    [['0.2.0', 2], ['0.4.0', 4], false, /^install Caravan 0\.4\.0 here$/],
  ]
  for (const [installed, server, worksTogether, advice] of rows) {
    t.match(judge(release(...installed), release(...server)), { worksTogether, advice })
  }
  t.end()
})

t.test('versions are ordered by their numbers, a preview before its release', (t) => {
  const ordered = [
    '0.1.0',
    '0.9.1',
    '0.10.0',
    '1.0.0-beta',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '2.0.0',
  ]
  for (const [at, one] of ordered.entries()) {
    for (const [place, other] of ordered.entries()) {
      t.equal(compareVersions(one, other), Math.sign(at - place), `${one} and ${other}`)
    }
  }
  t.end()
})

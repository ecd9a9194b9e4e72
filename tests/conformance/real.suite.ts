/** The flows on a real agent, where there is a `nomad` program. */
import t from 'tap'
import { startAgent } from './agent.ts'
import { run } from './suite.ts'
import { findNomad, toTarget } from './target.ts'

const nomad = findNomad()
if (nomad === null) {
  t.comment('SKIPPED: there is no nomad program. Put one on the PATH, or name it in NOMAD_BIN.')
  t.pass('skipped, there is no nomad program')
} else {
  const agent = await startAgent(nomad)
  t.teardown(() => agent.stop())
  await run(t, toTarget('real agent', agent.url))
}

/** A seed of the race search, so that it can not rot; `npm run test:fleet-race` runs many. */
import t from 'tap'
import { runScenario } from './race/scenario.ts'

t.test(
  'whatever befalls a cluster, no slice is ended by us and nothing is left over',
  async (t) => {
    const { violations, slices, strikes } = await runScenario(1)
    t.same(violations, [])
    t.ok(slices > 0)
    t.ok(Object.keys(strikes).length > 10, 'much has befallen it')
  },
)

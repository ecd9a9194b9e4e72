/** A few seeds of the race search, so that it can not rot; `npm run test:fleet-race` runs many. */
import t from 'tap'
import { runScenario } from './race/scenario.ts'

t.test(
  'whatever befalls a cluster, no slice is ended by us and nothing is left over',
  async (t) => {
    for (const seed of [1, 2, 3]) {
      const { violations, slices } = await runScenario(seed)
      t.same(violations, [], `seed ${seed}`)
      t.ok(slices > 0)
    }
  },
)

/** A process that runs seeds, one after the other, as it is told. */
import { runScenario, type Verdict } from './scenario.ts'

export interface Order {
  seed: number
  wantsStory: boolean
}

process.on('disconnect', () => process.exit(0))
process.on('message', (order: Order) => void run(order))

async function run({ seed, wantsStory }: Order): Promise<void> {
  const verdict: Verdict = await runScenario(seed, wantsStory)
  process.send?.(verdict)
}

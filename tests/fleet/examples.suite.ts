/** The scripts of examples/fleet, played to their end as somebody who tries them does. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCaravan } from '../support/caravan.ts'

const FOLDER = fileURLToPath(new URL('../../examples/fleet/', import.meta.url))

/** The longest takes half a minute by its own times. */
const LIMIT_MS = 150_000

/** What has to be told, in this order. */
const STORIES: Readonly<Record<string, readonly RegExp[]>> = {
  'launch-failure.json': [
    /script: scale .*desired=3/,
    /activity failed .*InsufficientInstanceCapacity|activity failed .*sufficient .* capacity/,
    /script: mend-launches/,
    /from=Pending to=InService/,
    /the script has ended/,
  ],
  'scale-in.json': [
    /script: terminate/,
    /waits for a hook .*hook=drain/,
    /heartbeat recorded .*hook=drain/,
    /hook completed .*result=CONTINUE by=complete/,
    /from=Terminating:Proceed to=Terminated/,
    /the script has ended/,
  ],
  'spot-notice.json': [
    /spot interruption notice .*seconds=120/,
    /from=Pending to=InService/,
    /waits for a hook .*hook=drain/,
    /hook completed .*result=CONTINUE by=complete/,
    /the script has ended/,
  ],
}

t.test('every example is told of here', (t) => {
  t.same(readdirSync(FOLDER).sort(), Object.keys(STORIES))
  t.end()
})

t.test('every example comes to its end, and tells what it promises', async (t) => {
  const names = Object.keys(STORIES)
  const folder = t.testdir()
  const plays = names.map((name) => {
    const args = ['dev', 'aws', '--script', `${FOLDER}${name}`]
    const started = startCaravan(args, folder, { timeoutMs: LIMIT_MS })
    t.teardown(() => started.child.kill('SIGKILL'))
    return started.ended
  })
  for (const [index, play] of plays.entries()) {
    const name = names[index] ?? ''
    const { code, stderr } = await play
    t.equal(code, 0, `${name}: ${stderr}`)
    let rest = stderr
    for (const line of STORIES[name] ?? []) {
      const found = line.exec(rest)
      if (found === null) t.fail(`${name} does not tell ${String(line)}: ${stderr}`)
      else rest = rest.slice(found.index + found[0].length)
    }
    t.notMatch(stderr, / error /, `${name} has no errors`)
  }
})

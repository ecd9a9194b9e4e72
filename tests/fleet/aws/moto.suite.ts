/**
 * The emulator's answers beside moto's, element by element, for every call that moto has.
 *
 * moto was written by others from the same documents: where both agree, it is not only our reading. Where
 * they differ, the difference stands in the table with its reason, and a new one fails the test.
 */
import t from 'tap'
import { startAwsEmulator } from '../../../src/dev/index.ts'
import { TestClock, silentLog, systemRandom } from '../../../src/platform/index.ts'
import { CALLS } from './moto-calls.ts'
import { findPython, startMoto } from './python.ts'
import { differenceOf, shapeOf, textOf } from './shapes.ts'

const found = await findPython()
if ('reason' in found) {
  const message = `moto could not be installed, so nothing was compared: ${found.reason}`
  if (process.env['CI']) t.fail(message)
  else t.pass(`skipped: ${message}`)
  console.error(`\n*** ${message}\n`)
} else {
  await t.test('every answer has the elements of the answer of moto', async (t) => {
    const moto = await startMoto(found.python)
    t.teardown(() => moto.stop())
    const clock = new TestClock()
    const ours = await startAwsEmulator({ clock, random: systemRandom, log: silentLog, rate: null })
    t.teardown(() => ours.close())
    const known = { moto: new Map<string, string>(), ours: new Map<string, string>() }
    for (const call of CALLS) {
      const theirs = await ask(moto.url, call, known.moto)
      const own = await ask(ours.endpoint, call, known.ours)
      await clock.tick(5000)
      t.equal(own.status, theirs.status, `${call.action}: the same status`)
      const { onlyLeft, onlyRight } = differenceOf(shapeOf(own.xml), shapeOf(theirs.xml))
      t.same(onlyLeft, call.onlyOurs ?? [], `${call.action}: elements that only we have`)
      t.same(onlyRight, call.onlyTheirs ?? [], `${call.action}: elements that only moto has`)
    }
  })
}

async function ask(
  url: string,
  call: (typeof CALLS)[number],
  known: Map<string, string>,
): Promise<{ status: number; xml: string }> {
  const version = call.service === 'ec2' ? '2016-11-15' : '2011-01-01'
  const form = new URLSearchParams({ Action: call.action, Version: version })
  for (const [name, value] of Object.entries(call.input)) {
    form.set(name, value === 'THE INSTANCE' ? (known.get('instance') ?? '') : value)
  }
  const answer = await fetch(url, {
    method: 'POST',
    body: form,
    headers: {
      // moto finds the service in the scope of the credentials.
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${call.service}/aws4_request, SignedHeaders=host, Signature=0`,
    },
  })
  const xml = await answer.text()
  if (call.action === 'DescribeAutoScalingInstances')
    known.set('instance', textOf(xml, 'InstanceId'))
  return { status: answer.status, xml }
}

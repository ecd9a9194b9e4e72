/** An agent in a process of its own, to be killed: address of the server and folder are its arguments. */
import { join } from 'node:path'
import { runAgent } from '../../../src/build-agent/index.ts'
import { createLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { SLICE, TOKEN } from '../../build-agent/support/protocol-server.ts'

const [, , url = '', dir = ''] = process.argv
await runAgent({
  server: { url, slice: SLICE, epoch: 1, token: TOKEN },
  allocation: { id: 'allocation-1', dir: join(dir, 'alloc'), taskDir: join(dir, 'local') },
  node: { id: 'node-1', name: 'test' },
  version: '0.0.0',
  runtime: process.execPath,
  environment: { PATH: process.env['PATH'] },
  clock: systemClock,
  log: createLog(() => undefined, 'error'),
  random: systemRandom,
  signals: { listen: () => () => undefined },
})

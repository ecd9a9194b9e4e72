// Starts nomad-metrics against a port of this machine and waits for one good poll of the Nomad agent.
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'

// Six polls: the agent has just been started.
const LIMIT_MS = Number(process.env.POLL_LIMIT_MS ?? 60_000)
const GOOD = /^circle\.nomad\.client_agent\.poll_failure:0(\.0)?\|g/m

const socket = createSocket('udp4')
await new Promise((listening) => socket.bind(0, '127.0.0.1', listening))
const reporter = spawn(
  process.env.NOMAD_METRICS ?? 'nomad-metrics',
  [
    'start',
    `--nomad-uri=${process.env.NOMAD_ADDR}`,
    '--statsd-host=127.0.0.1',
    `--statsd-port=${socket.address().port}`,
    '--client',
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
)
const good = await new Promise((settle) => {
  setTimeout(() => settle(false), LIMIT_MS)
  reporter.on('error', () => settle(false))
  reporter.on('exit', () => settle(false))
  socket.on('message', (datagram) => GOOD.test(datagram.toString()) && settle(true))
})
reporter.kill('SIGKILL')
process.exit(good ? 0 : 1)

// Stands in for Caravan in the tarball of these tests: the two commands that the userdata calls.
import { createSocket } from 'node:dgram'

const [command, , ...flags] = process.argv.slice(2)
if (command === 'version') process.stdout.write('caravan 0.1.0\n')
else if (command === 'metrics') sendPolls()
else process.exit(2)

function sendPolls() {
  const port = Number(flags.find((flag) => flag.startsWith('--statsd-port='))?.split('=')[1])
  const failed = process.env.POLL_FAILURE ?? '0'
  const socket = createSocket('udp4')
  const poll = () =>
    socket.send(`circle.nomad.client_agent.poll_failure:${failed}|g`, port, '127.0.0.1')
  poll()
  setInterval(poll, 200)
}

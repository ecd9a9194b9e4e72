/** Where a job in containers runs when there is no Docker. */
import t from 'tap'
import { makeCheckout, startCaravan } from '../support/caravan.ts'

t.test(
  '--executor host runs a docker job without Docker, and says what that leaves out',
  async (t) => {
    const config = `version: 2.1
jobs:
  test:
    docker:
      - image: acme/nowhere:1
        environment: { FROM_IMAGE_ENTRY: kept }
      - image: acme/service:1
    steps:
      - run: echo "on the host, $FROM_IMAGE_ENTRY"
`
    const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': config })
    const none = { env: { DOCKER_HOST: 'unix:///nonexistent/docker.sock' } }
    const args = ['run', '--executor', 'host']
    const { code, stdout, stderr } = await startCaravan(args, folder, none).ended
    t.equal(code, 0, stderr)
    t.match(stdout, 'on the host, kept')
    t.match(stderr, /its images and services are not used/)
  },
)

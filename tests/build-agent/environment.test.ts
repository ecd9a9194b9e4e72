import t from 'tap'
import {
  buildJobEnvironment,
  buildStepEnvironment,
  cleanHostEnvironment,
  findOversized,
  type JobPlace,
} from '../../src/build-agent/environment.ts'

const place: JobPlace = {
  home: '/alloc/home',
  workingDirectory: '/alloc/home/project',
  internalDir: '/alloc/caravan',
  bashEnvFile: '/alloc/caravan/bash_env',
  shimsDir: '/alloc/caravan/bin',
}

t.test('the host gives what tools need and keeps what is its own', async (t) => {
  const kept = {
    PATH: '/bin',
    LANG: 'C',
    USER: 'ci',
    HTTPS_PROXY: 'http://proxy',
    ENVIRONMENT: 'x',
    GIT_SSL_CAINFO: '/ca',
  }
  const dropped = {
    CARAVAN_CLAIM_TOKEN: 'x',
    NOMAD_TOKEN: 'x',
    NOMAD_SECRETS_DIR: 'x',
    VAULT_TOKEN: 'x',
    NODE_OPTIONS: '--x',
    npm_config_cache: 'x',
    GIT_DIR: '/somewhere/.git',
    BASH_ENV: '/x',
    XDG_CONFIG_HOME: '/x',
    PWD: '/',
    UNSET: undefined,
  }
  t.same(cleanHostEnvironment({ ...kept, ...dropped }), kept)
})

t.test(
  'layers lie over what the agent provides, and the working directory is a real path',
  async (t) => {
    const job = buildJobEnvironment(
      { PATH: '/bin', HOME: '/root' },
      [
        { layer: 'builtin', values: { CIRCLE_WORKING_DIRECTORY: '~/project', CI: 'true' } },
        { layer: 'job', values: { BASH_ENV: '/etc/profile', PLACE: '~/x $CI' } },
      ],
      place,
    )
    t.same(job, {
      PATH: '/bin',
      HOME: '/alloc/home',
      BASH_ENV: '/etc/profile',
      CIRCLE_WORKING_DIRECTORY: '/alloc/home/project',
      CI: 'true',
      PLACE: '~/x $CI',
    })
  },
)

t.test('a step can change anything but the way to our own files', async (t) => {
  const step = buildStepEnvironment(
    { PATH: '/bin', CIRCLE_INTERNAL_TASK_DATA: 'job' },
    { PATH: '/mine', CIRCLE_INTERNAL_TASK_DATA: 'step' },
    place,
  )
  t.same(step, { PATH: '/alloc/caravan/bin:/mine', CIRCLE_INTERNAL_TASK_DATA: '/alloc/caravan' })
  t.match(buildStepEnvironment({}, {}, place)['PATH'], /^\/alloc\/caravan\/bin:.*:\/bin$/)
})

t.test('what fits an exec is let through to the last byte', async (t) => {
  const fits = 'x'.repeat(131_072 - 'A='.length - 1)
  t.equal(findOversized(['sh'], { A: fits }), null)
  t.match(findOversized(['sh'], { A: `${fits}x` }), /variable A is too large: 131073 bytes/)
  t.equal(findOversized(['x'.repeat(131_071)], {}), null)
  t.match(findOversized(['x'.repeat(131_072)], {}), /command is too long/)
})

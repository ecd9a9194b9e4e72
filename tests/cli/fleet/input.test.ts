/** What makes no sense is told with its place and what to do, and ends with 2. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../support.ts'

const SETTINGS = `pool "linux" {
  group = "nomad-clients"
  region = "us-east-1"
  min = 2
  max = 40
  instance = { vcpu = 16, memory = 65536 }
}
`
const ofInstance = ['--instance', 'i-0123456789abcdef0']
const noMetadata = { AWS_EC2_METADATA_DISABLED: 'true' }
const runners = { AUTO_SCALING_MAX: '3', AUTO_SCALING_GROUP_NAME: 'runners' }

interface Wrong {
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  told: RegExp
}

t.test('commands for instances', async (t) => {
  const cases: Wrong[] = [
    { args: ['drain'], told: /one of --self, --node ID and --instance ID/ },
    { args: ['drain', '--self', ...ofInstance], told: /one of --self, --node ID/ },
    { args: ['drain', ...ofInstance, '--deadline', '5'], told: /a duration such as 90s/ },
    { args: ['drain', ...ofInstance, '--deadline', '5m'], told: /--deadline says how long --wait/ },
    { args: ['drain', ...ofInstance, '--heartbeat'], told: /add --wait/ },
    { args: ['drain', ...ofInstance, '--wait', '--heartbeat'], told: /--region NAME/ },
    { args: ['complete', ...ofInstance], told: /--region NAME, or AWS_REGION/ },
    { args: ['complete', ...ofInstance, '--result', 'MAYBE'], told: /CONTINUE, ABANDON/ },
    { args: ['lifecycle'], told: /say --self/ },
    { args: ['lifecycle', '--self'], env: noMetadata, told: /use --imds URL/ },
    {
      args: ['lifecycle', '--self', '--imds', 'here'],
      told: /--imds: no address such as .*"here"/,
    },
    { args: ['lifecycle', '--self', '--at-cap', 'explode'], told: /wait, stop/ },
    { args: ['doctor'], told: /--group NAME, or pools in the settings file/ },
    { args: ['doctor', '--group', 'clients'], told: /--region NAME, or AWS_REGION/ },
    { args: ['tick'], env: runners, told: /AUTO_SCALING_GROUP_REGION: missing/ },
    {
      args: ['undrain', '--self', '--nomad', 'here'],
      told: /--nomad: nomad\.address: expected an/,
    },
  ]
  for (const { args, env = {}, told } of cases) {
    const { code, stderr } = await runCommand(['fleet', ...args], { env })
    t.equal(code, 2, args.join(' '))
    t.match(stderr, told)
  }
})

t.test('commands of the controller', async (t) => {
  const folder = t.testdir({ 'fleet.hcl': SETTINGS, program: Buffer.from([127, 69, 76, 70, 0]) })
  const known = ['--settings', join(folder, 'fleet.hcl'), '--data', join(folder, 'data')]
  const cases: Wrong[] = [
    { args: ['run'], told: /declare no pool: name a file that does with --settings/ },
    { args: ['run', '--settings', folder], told: /can not be read\.\n *because: it is a folder/ },
    { args: ['run', '--settings', join(folder, 'program')], told: /it is no text in UTF-8/ },
    { args: ['run', '--settings', join(folder, 'gone')], told: /gone can not be read.*\n.*ENOENT/ },
    { args: ['scale', 'windows', '3', ...known], told: /no pool windows; there are linux/ },
    { args: ['scale', 'linux', '300', ...known], told: /pool linux has 2 to 40 nodes/ },
    { args: ['scale', 'linux', 'many', ...known], told: /a whole number from 0/ },
    { args: ['scale', 'linux', '3', '--for', 'x', ...known], told: /a duration such as 90s/ },
    { args: ['explain', '--at', 'yesterday', ...known], told: /--at: no time such as/ },
    { args: ['explain', '--limit', '0', ...known], told: /from 1 to 20000/ },
    { args: ['pin', 'i-1', ...known], told: /with --until, or end it with --remove/ },
    { args: ['pin', 'i-1', '--until', '4x', ...known], told: /--until: neither a time/ },
    { args: ['pin', 'i-1', '--remove', ...known], told: /i-1 is not pinned/ },
    {
      args: ['status', '--settings', join(folder, 'fleet.hcl'), '--data', join(folder, 'program')],
      told: /--data: .*program: a file stands in the way; name another folder/,
    },
    { args: ['status', ...known, '--server', 'here'], told: /must look like http:\/\/host:port/ },
  ]
  for (const { args, told } of cases) {
    const { code, stderr } = await runCommand(['fleet', ...args])
    t.equal(code, 2, args.join(' '))
    t.match(stderr, told)
  }
})

t.test('who only looks makes nothing, where no controller has been', async (t) => {
  const folder = t.testdir({ 'fleet.hcl': SETTINGS })
  const data = join(folder, 'data')
  const known = ['--settings', join(folder, 'fleet.hcl'), '--data', data]
  const explained = await runCommand(['fleet', 'explain', ...known])
  t.equal(explained.code, 1)
  t.match(explained.stderr, /no step is stored/)
  await runCommand(['fleet', 'status', ...known, '--server', 'here'])
  t.notOk(existsSync(data))
  await runCommand(['fleet', 'scale', 'linux', '3', ...known])
  t.ok(existsSync(join(data, 'fleet.db')), 'an order is kept')
})

t.test('every command lists its exit codes', async (t) => {
  const { stdout } = await runCommand(['fleet', '--help'])
  const names = [...stdout.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name = '']) => name)
  t.equal(names.length, 11)
  for (const name of names) {
    const help = await runCommand(['fleet', name, '--help'])
    t.equal(help.code, 0)
    t.match(help.stdout, /\nExit codes:\n {2}0 +\w/, name)
  }
})

/** Output and files of an allocation. */
import type { Test } from 'tap'
import { aJob, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

export async function logFlows(t: Test, target: Target): Promise<void> {
  await target.register(aJob('cf-logs', 'echo one; echo two >&2; echo three'))
  const { ID } = await untilStatus(target, 'cf-logs', 'complete')
  const logs = `/v1/client/fs/logs/${ID}?task=main`

  await t.test('logs are read from either end, as bytes or as frames', async (t) => {
    const plain = async (query: string) =>
      (await target.fetch(`${logs}&plain=true&${query}`)).text()
    t.equal(await plain('type=stdout'), 'one\nthree\n')
    t.equal(await plain('type=stderr'), 'two\n')
    t.equal(await plain('type=stdout&offset=4'), 'three\n')
    t.equal(await plain('type=stdout&origin=end&offset=6'), 'three\n')
    const frame = await (await target.fetch(`${logs}&type=stdout`)).json()
    t.match(frame, {
      File: 'alloc/logs/main.stdout.0',
      Offset: 10,
      Data: Buffer.from('one\nthree\n').toString('base64'),
    })
  })

  await t.test('what makes no sense is refused', async (t) => {
    const cases = [
      [`/v1/client/fs/logs/${ID}?type=stdout`, 400, 'must provide task name'],
      [logs, 400, 'must provide log type (stdout/stderr)'],
      [`${logs}&type=stdout&origin=middle`, 400, 'origin must be start or end'],
      [`${logs}x&type=stdout`, 400, 'unknown task name "mainx"'],
      [`${logs.replace(ID, otherThan(ID))}&type=stdout`, 404, 'Unknown allocation'],
    ] as const
    for (const [path, status, text] of cases) {
      const response = await target.fetch(path)
      t.equal(response.status, status, path)
      t.match(await response.text(), text)
    }
  })

  await t.test('files of an allocation are listed and read', async (t) => {
    const names = async (path: string) => {
      const rows = await target.get<{ Name: string }[]>(`/v1/client/fs/ls/${ID}?path=${path}`)
      return rows.map((row) => row.Name)
    }
    t.same(await names('/'), ['alloc', 'main'])
    t.ok((await names('/alloc/logs')).includes('main.stdout.0'))
    t.ok((await names('/main')).includes('local'))
    const file = `${ID}?path=alloc/logs/main.stdout.0`
    t.match(await target.get(`/v1/client/fs/stat/${file}`), { Size: 10, IsDir: false })
    t.equal(await (await target.fetch(`/v1/client/fs/cat/${file}`)).text(), 'one\nthree\n')
    const part = await target.fetch(`/v1/client/fs/readat/${file}&offset=4&limit=3`)
    t.equal(await part.text(), 'thr')
    const frame = await target.fetch(`/v1/client/fs/stream/${file}&follow=false&offset=8`)
    t.match(await frame.json(), { Offset: 10, Data: Buffer.from('e\n').toString('base64') })
    t.equal((await target.fetch(`/v1/client/fs/stat/${ID}?path=/nope`)).status, 404)
    const escape = await target.fetch(`/v1/client/fs/cat/${ID}?path=../../../../../etc/hostname`)
    t.match(await escape.text(), 'Path escapes the alloc directory')
  })

  await t.test('a follower sees output as it comes', async (t) => {
    const line = 'echo first; while [ ! -e "$NOMAD_TASK_DIR/go" ]; do sleep 0.05; done; echo last'
    await target.register(aJob('cf-follow', line))
    const allocation = await untilStatus(target, 'cf-follow', 'running')
    const abort = new AbortController()
    const path = `/v1/client/fs/logs/${allocation.ID}?task=main&type=stdout&follow=true&plain=true`
    const response = await eventually(async () => {
      const answer = await target.fetch(path, { signal: abort.signal })
      return answer.status === 200 && answer
    }, 'the log to be there')
    const reader = response.body?.getReader()
    let seen = ''
    const readUntil = async (text: string) => {
      while (!seen.includes(text)) {
        const { value, done } = (await reader?.read()) ?? { done: true, value: undefined }
        if (done) throw new Error(`the stream ended after ${JSON.stringify(seen)}`)
        seen += Buffer.from(value ?? []).toString()
      }
    }
    await readUntil('first\n')
    t.equal(seen, 'first\n')
    await target.send('DELETE', '/v1/job/cf-follow')
    abort.abort()
    await untilStatus(target, 'cf-follow', 'complete')
  })

  await t.test('a task finds its surroundings in its environment', async (t) => {
    // Nomad resolves the variables in no certain order: one that names another has no certain value.
    const Env = {
      CF_CLASS: '${node.class}|${node.datacenter}|${meta.cf-none}',
      CF_OWN: '${NOMAD_META_org}-${NOMAD_ALLOC_INDEX}',
    }
    const Config = {
      command: '/bin/sh',
      args: ['-c', 'env; pwd; echo "arg=$0"', '${NOMAD_JOB_ID}/${env.CF_OWN}'],
    }
    const more = {
      task: { Env, Config, Meta: { step: '1' } },
      group: { Meta: { org: 'group' }, Networks: [{ DynamicPorts: [{ Label: 'http' }] }] },
      job: { Meta: { org: 'job', re_po: 'x' } },
    }
    await target.register(aJob('cf-env', '', more))
    const { ID } = await untilStatus(target, 'cf-env', 'complete')
    const path = `/v1/client/fs/logs/${ID}?task=main&type=stdout&plain=true`
    const lines = (await (await target.fetch(path)).text()).split('\n')
    const read = (name: string) =>
      lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
    const node = await target.get(`/v1/node/${(await target.allocations('cf-env'))[0]?.NodeID}`)
    t.match(Object.fromEntries(['CF_CLASS', 'CF_OWN', 'arg'].map((name) => [name, read(name)])), {
      CF_CLASS: `${String(node['NodeClass'])}|${String(node['Datacenter'])}|\${meta.cf-none}`,
      CF_OWN: 'group-0',
      arg: 'cf-env/group-0',
    })
    t.match(Object.fromEntries(NOMAD_NAMES.map((name) => [name, read(name)])), {
      NOMAD_ALLOC_ID: ID,
      NOMAD_SHORT_ALLOC_ID: ID.slice(0, 8),
      NOMAD_ALLOC_NAME: 'cf-env.slice[0]',
      NOMAD_JOB_ID: 'cf-env',
      NOMAD_JOB_NAME: 'cf-env',
      NOMAD_GROUP_NAME: 'slice',
      NOMAD_TASK_NAME: 'main',
      NOMAD_NAMESPACE: 'default',
      NOMAD_REGION: 'global',
      NOMAD_CPU_LIMIT: '100',
      NOMAD_MEMORY_LIMIT: '300',
      NOMAD_META_org: 'group',
      NOMAD_META_ORG: 'group',
      NOMAD_META_RE_PO: 'x',
      NOMAD_META_step: '1',
      NOMAD_PORT_http: /^\d+$/,
      NOMAD_ALLOC_DIR: /\/alloc$/,
      NOMAD_TASK_DIR: /\/main\/local$/,
      NOMAD_SECRETS_DIR: /\/main\/secrets$/,
    })
    t.ok(lines.includes(read('NOMAD_TASK_DIR')?.replace(/\/local$/, '') ?? ''), 'its own folder')
  })
}

/** An id that no allocation has. */
function otherThan(id: string): string {
  return id.replace(/.$/, id.endsWith('0') ? '1' : '0')
}

const NOMAD_NAMES = [
  'ALLOC_ID',
  'SHORT_ALLOC_ID',
  'ALLOC_NAME',
  'JOB_ID',
  'JOB_NAME',
  'GROUP_NAME',
  'TASK_NAME',
  'NAMESPACE',
  'REGION',
  'CPU_LIMIT',
  'MEMORY_LIMIT',
  'META_org',
  'META_ORG',
  'META_RE_PO',
  'META_step',
  'PORT_http',
  'ALLOC_DIR',
  'TASK_DIR',
  'SECRETS_DIR',
].map((name) => `NOMAD_${name}`)

/** How many jobs a second Nomad takes, when whoever registers them does nothing else. */
import { Pool } from 'undici'
import type { Clock } from '../../src/platform/index.ts'
import { startEngine } from '../nomad/engine-process.ts'
import { eachOf } from './life.ts'

export interface Register {
  /** @returns jobs a second. */
  measure(jobs: number): Promise<number>
  close(): Promise<void>
}

/** As many as the scheduler has under way. */
const CONCURRENCY = 24

export async function startRegister(dir: string, clock: Clock): Promise<Register> {
  const engine = await startEngine(dir, { places: 0, driver: 'simulated' })
  const pool = new Pool(engine.address, { connections: CONCURRENCY })
  let last = 0
  const register = async (): Promise<void> => {
    last += 1
    const body = JSON.stringify(toJob(`${last}`.padStart(24, '0')))
    const { statusCode, body: answer } = await pool.request({
      method: 'PUT',
      path: '/v1/jobs',
      body,
    })
    if (statusCode !== 200) throw new Error(`registering failed: ${await answer.text()}`)
    await answer.dump()
  }
  return {
    async measure(jobs) {
      const startMs = clock.monotonic()
      await eachOf(Array.from({ length: jobs }), CONCURRENCY, register)
      return jobs / ((clock.monotonic() - startMs) / 1000)
    },
    async close() {
      await pool.close()
      await engine.close()
    },
  }
}

/** About as large as the job of a slice. */
function toJob(id: string) {
  const name = `${id}-0-build-acme-site-1`
  const meta = { org: 'acme', repo: 'site', branch: 'main', sha: '0'.repeat(40), build: id }
  const task = {
    Name: 'build-agent',
    Driver: 'raw_exec',
    Config: { command: '/usr/bin/caravan', args: ['build-agent'] },
    Env: { CARAVAN_CLAIM_TOKEN: 'a'.repeat(64), CARAVAN_URL: 'http://127.0.0.1:8080' },
    Resources: { CPU: 5000, MemoryMB: 8704 },
  }
  const group = { Name: 'slice', Count: 1, Tasks: [task] }
  const job = { ID: name, Name: name, Type: 'batch', Datacenters: ['*'], Meta: meta }
  return { Job: { ...job, TaskGroups: [group] }, EnforceIndex: true, JobModifyIndex: 0 }
}

/** Registering jobs without a scheduler: a bare loop of undici, which is the limit, and a loop of the CLI. */
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Pool } from 'undici'
import type { NomadJob } from '../../src/nomad/index.ts'
import { machineMs } from '../agent/machine.ts'
import { eachOf } from '../store/life.ts'

export interface Registering {
  address: string
  /** What is registered, under another name each time. */
  job: NomadJob
  jobs: number
  concurrency: number
}

let last = 0

/** @returns jobs a second. */
export async function registerBare(registering: Registering): Promise<number> {
  const { address, jobs, concurrency } = registering
  const pool = new Pool(address, { connections: concurrency })
  try {
    const startedMs = machineMs()
    await eachOf(Array.from({ length: jobs }), concurrency, async () => {
      const { statusCode, body } = await pool.request({
        method: 'PUT',
        path: '/v1/jobs',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(toBody(registering.job)),
      })
      const answer = await body.text()
      if (statusCode !== 200) throw new Error(`registering failed: ${answer}`)
    })
    return jobs / ((machineMs() - startedMs) / 1000)
  } finally {
    await pool.close()
  }
}

/** @returns jobs a second. */
export async function registerByCli(
  registering: Registering & { binary: string; dir: string },
): Promise<number> {
  const { binary, dir, address, jobs, concurrency } = registering
  const folder = join(dir, 'job-files')
  await mkdir(folder)
  try {
    const files: string[] = []
    for (let at = 0; at < jobs; at++) {
      const { Job } = toBody(registering.job)
      const file = join(folder, `${at}.json`)
      await writeFile(file, JSON.stringify({ Job }))
      files.push(file)
    }
    const startedMs = machineMs()
    await eachOf(files, concurrency, async (file) => {
      const args = ['job', 'run', `-address=${address}`, '-detach', '-json', file]
      await promisify(execFile)(binary, args)
    })
    return jobs / ((machineMs() - startedMs) / 1000)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function toBody(job: NomadJob) {
  last += 1
  const ID = `${String(last).padStart(24, '0')}-0-build-acme-site-1`
  return { Job: { ...job, ID, Name: ID }, EnforceIndex: true, JobModifyIndex: 0 }
}

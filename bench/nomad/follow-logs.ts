/** What a task prints, through Nomad's log collection to somebody who follows it with the `nomad` CLI. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { machineMs } from '../agent/machine.ts'
import type { NomadAgent } from './nomad-agent.ts'

export interface Printing {
  /** What is printed, file after file. */
  files: readonly string[]
  bytes: number
  /** A file that does not exist yet; the task waits for it. */
  go: string
}

const READY = 'ready\n'
/** As much as one printing may be, so that Nomad rotates nothing away; MB. */
const LOG_MB = 2048

/** @returns how long it took until the last byte was seen, in milliseconds. */
export async function followLogs(
  nomad: NomadAgent,
  id: string,
  printing: Printing,
): Promise<number> {
  await nomad.call('PUT', '/v1/jobs', { Job: toJob(id, printing) })
  try {
    let allocation = ''
    await nomad.until('the task runs', async () => {
      const found = (await nomad.call('GET', `/v1/job/${id}/allocations`)) as Allocation[]
      allocation = found[0]?.ID ?? ''
      return found[0]?.ClientStatus === 'running'
    })
    return await follow(nomad, allocation, printing)
  } finally {
    await nomad.call('DELETE', `/v1/job/${id}?purge=true`)
  }
}

interface Allocation {
  ID: string
  ClientStatus: string
}

async function follow(nomad: NomadAgent, allocation: string, printing: Printing): Promise<number> {
  const args = ['alloc', 'logs', `-address=${nomad.address}`, '-f', allocation]
  const child = spawn(nomad.binary, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    let seen = 0
    let startedMs = 0
    for await (const chunk of child.stdout) {
      seen += (chunk as Buffer).length
      if (startedMs === 0 && seen >= READY.length) {
        startedMs = machineMs()
        await writeFile(printing.go, '')
      }
      if (seen === READY.length + printing.bytes) return machineMs() - startedMs
    }
    throw new Error(`nomad alloc logs ended after ${seen} bytes`)
  } finally {
    child.kill('SIGTERM')
    await exited
  }
}

function toJob(id: string, { files, go }: Printing) {
  const script = 'echo ready; until [ -e "$0" ]; do sleep 0.02; done; exec cat "$@"'
  return {
    ID: id,
    Name: id,
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'print',
        EphemeralDisk: { SizeMB: 2 * LOG_MB },
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        Tasks: [
          {
            Name: 'print',
            Driver: 'raw_exec',
            Config: { command: '/bin/sh', args: ['-c', script, go, ...files] },
            Resources: { CPU: 100, MemoryMB: 64 },
            LogConfig: { MaxFiles: 1, MaxFileSizeMB: LOG_MB },
          },
        ],
      },
    ],
  }
}

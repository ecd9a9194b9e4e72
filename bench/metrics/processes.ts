/** The processes of the bench of metrics. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endTogether } from '../agent/child.ts'
import type { Reading } from './reader.ts'

export interface PlayedNomad {
  url: string
  /** Of both lists. */
  bytes: number
  close(): Promise<void>
}

export interface Reader {
  read(): Promise<Reading>
  close(): Promise<void>
}

const NOMAD = fileURLToPath(new URL('./nomad.ts', import.meta.url))
const READER = fileURLToPath(new URL('./reader.ts', import.meta.url))

export async function startNomad(): Promise<PlayedNomad> {
  const child = start(NOMAD, [])
  const { url, bytes } = await next<{ url: string; bytes: number }>(child)
  return { url, bytes, close: () => close(child) }
}

export async function startReader(url: string): Promise<Reader> {
  const child = start(READER, [url])
  await next<string>(child)
  return {
    async read() {
      child.send('read')
      return await next<Reading>(child)
    },
    close: () => close(child),
  }
}

function start(program: string, args: readonly string[]): ChildProcess {
  const child = fork(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  endTogether(child)
  return child
}

/** @throws Error when the process ends in place of an answer. */
function next<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) =>
      reject(new Error(`a process of the bench ended: ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as Message)
    })
  })
}

async function close(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
}

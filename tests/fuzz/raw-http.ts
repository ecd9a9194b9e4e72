/** Requests with any path, header and body, and what is right about every answer. */
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import type { Test } from 'tap'
import { errorBody } from '../../src/model/index.ts'

export interface RawRequest {
  method: string
  path: string
  headers: Readonly<Record<string, string>>
  body: Buffer
}

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

export type Send = (raw: RawRequest) => Promise<RawAnswer>

/** Cut after that: a stream of events that goes on is an answer, too. */
const ENOUGH_MS = 5_000

export function createSender(t: Test, port: number): Send {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  return (raw) =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = raw
      const sent = request(
        { host: '127.0.0.1', port, agent, method, path, headers: { ...headers } },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', () => undefined)
          response.on('close', () => {
            clearTimeout(timer)
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
          })
        },
      )
      const timer = setTimeout(() => sent.destroy(new Error('no end of the answer')), ENOUGH_MS)
      sent.on('error', (cause: NodeJS.ErrnoException) => {
        clearTimeout(timer)
        // Refused before all of the body was written: the answer is lost with the connection.
        if (cause.code === 'EPIPE' || cause.code === 'ECONNRESET') {
          resolve({ status: 0, headers: {}, text: '' })
        } else reject(cause)
      })
      sent.end(body)
    })
}

/** @throws Error for a fault of the server, or an error that is not in our form. */
export function checkAnswer({ status, text }: RawAnswer, mayBeAway = false): void {
  if (status === 0 || status < 400) return
  if (status >= 500 && !(mayBeAway && status === 503)) throw new Error(`${status} ${text}`)
  if (text === '') return
  const { message } = errorBody.parse(JSON.parse(text))
  if (message === '' || message.length > 20_000) throw new Error(`no message: ${text}`)
  if (/invalid input|expected \w+, received|\[object/i.test(message)) {
    throw new Error(`not in our words: ${message}`)
  }
}

/** Puts the emulator together: the region, its API and its instance metadata on loopback. */
import type { Log } from '../../platform/index.ts'
import { ConnectionCut, Faults } from './calls.ts'
import type { AwsIntercept } from './calls.ts'
import { AwsEmulator } from './emulator.ts'
import type { AwsOptions } from './emulator.ts'
import { startApiServer } from './http/api-server.ts'
import { startImdsServer } from './http/imds-server.ts'

export interface AwsEmulatorOptions extends AwsOptions {
  log: Log
  /** Default `127.0.0.1`: nobody's signature is checked. */
  host?: string
  /** 0, the default, takes a free one. */
  port?: number
  imdsPort?: number
  /** How far a caller's clock may be off before its calls are refused; nobody's is looked at when absent. */
  clockLimitMs?: number
  /** Stands around every call of the API, inside of `faults`. */
  intercept?: AwsIntercept
}

export interface RunningAwsEmulator {
  aws: AwsEmulator
  /** Faults to order, for calls that come over the socket. */
  faults: Faults
  /** Such as `http://127.0.0.1:4566`: the endpoint of both services. */
  endpoint: string
  /** Such as `http://127.0.0.1:1338`; with `/<instance id>` after it, that of one instance. */
  imds: string
  close(): Promise<void>
}

/** @throws Error with Node's own code, such as EADDRINUSE, when it can not listen. */
export async function startAwsEmulator(options: AwsEmulatorOptions): Promise<RunningAwsEmulator> {
  const {
    log,
    host = '127.0.0.1',
    port = 0,
    imdsPort = 0,
    intercept,
    clockLimitMs,
    ...own
  } = options
  const aws = new AwsEmulator(own)
  const faults = new Faults()
  const around: AwsIntercept = (call, next) =>
    faults.intercept(call, async () => {
      const outcome = await (intercept === undefined ? next() : intercept(call, next))
      if (outcome === 'cut') throw new ConnectionCut('the connection was cut')
      return outcome
    })
  const { random } = options
  const api = await startApiServer(
    { aws, random, log, intercept: around, clockLimitMs },
    { host, port },
  )
  try {
    const imds = await startImdsServer({ aws, random }, { host, port: imdsPort })
    return {
      aws,
      faults,
      endpoint: `http://${host}:${api.port}`,
      imds: `http://${host}:${imds.port}`,
      async close() {
        aws.close()
        await Promise.all([api.close(), imds.close()])
      },
    }
  } catch (cause) {
    aws.close()
    await api.close()
    throw cause
  }
}

/** Whether what is installed here and a server work together, and who has to be upgraded when not. */
import { agreeOnProtocol, type ProtocolWindow } from '../../model/index.ts'

export interface Release {
  version: string
  protocols: ProtocolWindow
}

export interface Verdict {
  worksTogether: boolean
  /** What to do, or that nothing is to be done. */
  advice: string
}

export function judge(installed: Release, server: Release): Verdict {
  const protocol = agreeOnProtocol(installed.protocols, server.protocols)
  if (protocol === null) {
    const isServerOlder = server.protocols.newest < installed.protocols.newest
    return {
      worksTogether: false,
      advice: isServerOlder
        ? `upgrade the server to Caravan ${installed.version}, or install Caravan ${server.version} here`
        : `install Caravan ${server.version} here`,
    }
  }
  const order = compareVersions(installed.version, server.version)
  if (order === 0) return { worksTogether: true, advice: 'both are the same version' }
  const advice =
    order < 0
      ? `Caravan ${server.version} may be installed here`
      : `the server may be upgraded to Caravan ${installed.version}`
  return { worksTogether: true, advice: `agents speak protocol ${protocol}; ${advice}` }
}

/** By the numbers of both, then by text: `0.10.0` comes after `0.9.1`, and `1.0.0` after `1.0.0-rc.1`. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [toParts(one), toParts(other)]
  for (const at of [0, 1, 2] as const) if (a.numbers[at] !== b.numbers[at]) return sign(a, b, at)
  if (a.preview === b.preview) return 0
  if (a.preview === '' || b.preview === '') return a.preview === '' ? 1 : -1
  return a.preview < b.preview ? -1 : 1
}

interface Parts {
  numbers: readonly number[]
  preview: string
}

function toParts(version: string): Parts {
  const [core = '', ...preview] = version.split('-')
  const numbers = core.split('.').map(Number)
  return { numbers: [0, 1, 2].map((at) => numbers[at] ?? 0), preview: preview.join('-') }
}

function sign(a: Parts, b: Parts, at: number): number {
  return (a.numbers[at] ?? 0) < (b.numbers[at] ?? 0) ? -1 : 1
}

/** Lists of any length, a page at a time. */
import { CaravanError } from '../model/index.ts'
import type { ListOptions, Page } from './ports.ts'
import type { Call, Transport } from './transport.ts'

/** About half a megabyte of job stubs: small enough to read between two turns of the event loop. */
const PER_PAGE = 500

export async function* readPages<Item>(
  transport: Transport,
  call: Call<Item[]>,
  options: ListOptions,
): AsyncGenerator<Page<Item>> {
  const { prefix, filter, perPage = PER_PAGE, signal, namespace } = options
  const query = { ...call.query, prefix, filter, per_page: perPage }
  let token: string | undefined
  for (;;) {
    const page = { ...call, signal, namespace, query: { ...query, next_token: token } }
    const { value, index, next } = await transport.readPage(page)
    yield { items: value, index }
    if (next === '') return
    if (next === token) {
      throw new CaravanError('NOMAD_REJECTED', `could not ${call.purpose}: a page repeats itself`)
    }
    token = next
  }
}

/**
 * Compares fields with texts, for `filter`: `Meta.org == "acme" and Meta.install == "x"`.
 *
 * @param values by selector. Keys of maps are written with a dot; an absent key equals nothing.
 * @throws CaravanError INPUT_INVALID for a text that the filter language can not quote.
 */
export function filterOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([selector, value]) => `${selector} == ${quote(value)}`)
    .join(' and ')
}

/** The language has two quotes, and neither can hold all characters. */
function quote(value: string): string {
  if (!value.includes('`')) return `\`${value}\``
  if (!/["\\\n]/.test(value)) return `"${value}"`
  throw new CaravanError('INPUT_INVALID', `no filter can look for this text: ${value}`)
}

/** Reads Server-Sent Events, as far as our server writes them. */
import { CaravanError } from '../../model/index.ts'

export interface ServerSentEvent {
  event: string
  data: string
}

/** The largest build, a thousand slices with all their steps, fits several times. */
const EVENT_LENGTH_MAX = 64 * 1024 ** 2

/**
 * An event is handed on at its empty line; one that the end of the stream cuts off is dropped, since
 * the reader of a resumed stream gets it again.
 *
 * @throws CaravanError SERVER_ERROR when an event does not end.
 */
export async function* readServerSentEvents(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let pending = ''
  let event = 'message'
  let data: string[] = []
  for await (const chunk of bytes) {
    const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n')
    pending = lines.pop() ?? ''
    if (pending.length > EVENT_LENGTH_MAX) {
      throw new CaravanError('SERVER_ERROR', 'the server sent an event that does not end')
    }
    for (const line of lines) {
      const { field, value } = parseLine(line.endsWith('\r') ? line.slice(0, -1) : line)
      if (field === 'event') event = value
      if (field === 'data') data.push(value)
      if (field !== null) continue
      if (data.length > 0) yield { event, data: data.join('\n') }
      event = 'message'
      data = []
    }
  }
}

/** `field: value`. An empty line has no field; a line that starts with a colon is a comment. */
function parseLine(line: string): { field: string | null; value: string } {
  if (line === '') return { field: null, value: '' }
  const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
  return { field, value }
}

/** What Nomad's API says no with: a status and a bare sentence, in Nomad's own words. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  /** On reads, beside the sentence. */
  readonly index: number | null

  constructor(status: number, message: string, index: number | null = null) {
    super(message)
    this.status = status
    this.index = index
  }
}

/** Nomad looks objects up by their binary id and says so when the text is none. */
export function checkUuid(id: string, prefix: string): void {
  if (id.length !== 36) throw new Refusal(500, `${prefix}index error: UUID must be 36 characters`)
}

/** Lists take the beginning of an id, in whole bytes. */
export function checkUuidPrefix(text: string, kind: string): void {
  const hex = text.replaceAll('-', '')
  const wrong = /[^0-9a-f]/i.exec(hex)?.[0]
  const fault =
    hex.length % 2 === 1
      ? 'Input (without hyphens) must be even length'
      : wrong === undefined
        ? null
        : `Invalid UUID: encoding/hex: invalid byte: ${describeByte(wrong)}`
  if (fault !== null) throw new Refusal(500, `${kind} lookup failed: index error: ${fault}`)
}

function describeByte(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `U+${code} '${character}'`
}

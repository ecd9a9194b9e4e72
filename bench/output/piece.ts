/** What the step of the output bench prints: one file, as often as it takes. */

/** Of 64 MiB, so that a GiB is printed from memory and not from a disk. */
export const PIECE_BYTES = 64 * 1024 ** 2

export const SECRETS = ['hunter2-hunter2', 'AKIA0EXAMPLE0EXAMPLE', 'correct horse battery staple']

export interface Piece {
  bytes: Buffer
  /** How long it is without its secrets. */
  maskedLength: number
}

const REPLACEMENT_BYTES = '****'.length

/** Lines as test runners print them, one in a thousand with a secret in it. */
export function makePiece(): Piece {
  const bytes = Buffer.alloc(PIECE_BYTES, '\n')
  let maskedLength = PIECE_BYTES
  let filled = 0
  for (let number = 0; ; number++) {
    const secret = number % 1000 === 0 ? (SECRETS[(number / 1000) % SECRETS.length] ?? '') : ''
    const name = `src/module-${number % 97}/case.test.ts`
    const line = `[${number}] PASS ${name} ${secret}(${number % 311} ms)\n`
    if (filled + line.length > bytes.length) return { bytes, maskedLength }
    filled += bytes.write(line, filled, 'latin1')
    if (secret !== '') maskedLength -= secret.length - REPLACEMENT_BYTES
  }
}

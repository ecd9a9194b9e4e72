/** Credentials inside addresses. */

const PLACEHOLDER = '(address not shown)'

/** The address without user and password; a placeholder when it can not be told where they are. */
export function redactUrl(url: string): string {
  if (!url.includes('@')) return url
  // `git@host:org/repo` has a user that is no secret; a password there would follow a colon.
  if (!url.includes('://')) return /^[^:@/]+@[^@]+$/.test(url) ? url : PLACEHOLDER
  const parsed = URL.parse(url)
  if (parsed === null) return PLACEHOLDER
  parsed.username = ''
  parsed.password = ''
  return parsed.href
}

/** What of an address must not be seen in git's own messages, as written and as decoded. */
export function readSecrets(url: string): string[] {
  const parsed = URL.parse(url)
  if (parsed === null) return []
  // A lone user name over http is a token.
  const isToken = parsed.password === '' && parsed.protocol.startsWith('http')
  const found = [parsed.password, isToken ? parsed.username : '']
  return found.filter((text) => text !== '').flatMap((text) => [text, decode(text)])
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray percent sign: then it is written as it is meant.
    return text
  }
}

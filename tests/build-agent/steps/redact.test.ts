import t from 'tap'
import { readSecrets, redactUrl } from '../../../src/build-agent/steps/redact.ts'

t.test('credentials are cut out of addresses, and what can not be read is not shown', async (t) => {
  const cases: [string, string][] = [
    ['https://example.org/a.git', 'https://example.org/a.git'],
    ['https://user:pass@example.org/a.git', 'https://example.org/a.git'],
    ['https://token@example.org/a.git', 'https://example.org/a.git'],
    ['https://user:p@ss@example.org/a.git', 'https://example.org/a.git'],
    ['git@example.org:org/a.git', 'git@example.org:org/a.git'],
    ['user:pass@example.org:org/a.git', '(address not shown)'],
    ['https://user:pa ss@exa mple.org:port/a', '(address not shown)'],
    ['/srv/git/a.git', '/srv/git/a.git'],
  ]
  for (const [url, shown] of cases) t.equal(redactUrl(url), shown, url)
})

t.test('what is to be masked is known as written and as meant', async (t) => {
  t.same(readSecrets('https://user:p%40ss@example.org/a'), ['p%40ss', 'p@ss'])
  t.same(readSecrets('https://token@example.org/a'), ['token', 'token'])
  t.same(readSecrets('https://user:100%@example.org/a'), ['100%', '100%'])
  t.same(readSecrets('ssh://git@example.org/a'), [])
  t.same(readSecrets('git@example.org:org/a'), [])
})

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseRemote, readCheckout, writeBundle } from '../../src/platform/index.ts'

const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd })

t.test('a remote tells organisation and repository', (t) => {
  const cases: [string, { org: string; repo: string } | null][] = [
    ['https://github.com/acme/shop.git', { org: 'acme', repo: 'shop' }],
    ['https://user:secret@git.example.org/acme/shop/', { org: 'acme', repo: 'shop' }],
    ['git@github.com:acme/shop.git', { org: 'acme', repo: 'shop' }],
    ['ssh://git@host:22/group/sub/shop', { org: 'sub', repo: 'shop' }],
    ['/srv/git/shop.git', null],
    ['file:///srv/git/shop.git', null],
    ['../shop', null],
    ['', null],
  ]
  for (const [url, names] of cases) t.same(parseRemote(url), names, url)
  t.end()
})

t.test('a checkout is read with its branch, remote and changes', async (t) => {
  const folder = t.testdir({ file: 'one' })
  git(folder, 'init', '-q', '-b', 'trunk')
  git(folder, 'remote', 'add', 'origin', 'git@host:acme/shop.git')
  t.equal(await readCheckout(folder), null, 'without a commit there is nothing to build')
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'one')
  t.match(await readCheckout(folder), { branch: 'trunk', org: 'acme', repo: 'shop', dirtyCount: 0 })
  t.notOk((await readCheckout(folder))?.submodules)
  writeFileSync(join(folder, 'file'), 'two')
  t.equal((await readCheckout(folder))?.dirtyCount, 1)
  writeFileSync(join(folder, '.gitmodules'), '')
  git(folder, 'add', '.')
  git(folder, 'commit', '-q', '-m', 'modules')
  t.ok((await readCheckout(folder))?.submodules)
})

t.test('a bundle holds the commit that was named', async (t) => {
  const folder = t.testdir({ source: { file: 'one' }, out: {} })
  const source = join(folder, 'source')
  git(source, 'init', '-q')
  git(source, 'add', '.')
  git(source, 'commit', '-q', '-m', 'one')
  const checkout = await readCheckout(source)
  if (checkout === null) throw new Error('there is no checkout')
  const bundle = await writeBundle(checkout, join(folder, 'out'))
  t.match(git(source, 'bundle', 'list-heads', bundle).toString(), `${checkout.sha} HEAD`)
})

t.test('a folder without git is no checkout', async (t) => {
  t.equal(await readCheckout('/'), null)
})

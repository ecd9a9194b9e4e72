/** The licence texts of everything that is inside the bundles. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  /** Some old ones name it in another way, or in their text alone. */
  license: z.string().default('as below'),
  author: z.union([z.string(), z.object({ name: z.string() })]).optional(),
})
type Manifest = z.infer<typeof manifest>

const HEAD = `Caravan is under the MIT licence: see LICENSE.
Its bundles hold parts of the packages below, which are under licences of their own.
`

/** hcl2-parser is compiled from Go, and its own file is silent about what that is. */
const GO_MODULES = `Compiled into it, unchanged, are these Go modules; their sources and licences are at their addresses:

github.com/hashicorp/hcl/v2 v2.10.0: Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/
github.com/tmccombs/hcl2json v0.3.3: Apache License 2.0
github.com/zclconf/go-cty: MIT
github.com/apparentlymart/go-textseg: MIT, Apache License 2.0, Unicode
github.com/agext/levenshtein: Apache License 2.0
github.com/mitchellh/go-wordwrap: MIT
github.com/gopherjs/gopherjs: BSD-2-Clause
golang.org/x/text and the standard library of Go: BSD-3-Clause
`

/**
 * @param inputs paths of bundled files, below `root`.
 * @throws Error when a package has no licence text, and its licence is none that we know the text of.
 */
export async function collectNotices(root: string, inputs: readonly string[]): Promise<string> {
  const folders = [...new Set(inputs.flatMap((path) => toPackageFolder(path) ?? []))]
  const packages = await Promise.all(folders.map((folder) => readPackage(join(root, folder))))
  const texts: KnownTexts = {
    mit: await readFile(join(root, 'LICENSE'), 'utf8'),
    apache: packages.find(isApacheText)?.text ?? null,
  }
  const notices = packages.map((each) => toNotice(each, texts))
  // One package may stand in several places.
  const sections = [...new Set(notices)].sort()
  return [HEAD, ...sections].join(`\n${'-'.repeat(80)}\n\n`)
}

/** `node_modules/@scope/name`, also of a package inside another one. */
function toPackageFolder(path: string): string | null {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? null
}

interface Package {
  manifest: Manifest
  /** Null when the package does not bring the text of its licence. */
  text: string | null
}

interface KnownTexts {
  mit: string
  /** The same for whoever uses it: names and years do not stand in it. */
  apache: string | null
}

async function readPackage(folder: string): Promise<Package> {
  const found = manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  const files = (await readdir(folder)).sort()
  const file = files.find((each) => /^(?:licen[sc]e|copying)/i.test(each))
  const text = file === undefined ? null : (await readFile(join(folder, file), 'utf8')).trim()
  return { manifest: found, text }
}

function isApacheText({ manifest: { license }, text }: Package): boolean {
  return license === 'Apache-2.0' && text !== null && text.includes('TERMS AND CONDITIONS')
}

function toNotice({ manifest: found, text }: Package, texts: KnownTexts): string {
  const { name, version, license } = found
  const note = name === 'hcl2-parser' ? `\n\n${GO_MODULES.trim()}` : ''
  return `${name} ${version} (${license})\n\n${text ?? fillIn(found, texts)}${note}\n`
}

/** A few packages only name their licence. */
function fillIn({ name, license, author }: Manifest, { mit, apache }: KnownTexts): string {
  const holder = typeof author === 'object' ? author.name : (author ?? `the authors of ${name}`)
  const copyright = `Copyright (c) ${holder}`
  if (license === 'MIT') return mit.trim().replace(/^Copyright .*$/m, copyright)
  if (license === 'ISC') return `ISC License\n\n${copyright}\n\n${ISC.trim()}`
  if (license === 'Apache-2.0' && apache !== null) return `${copyright}\n\n${apache}`
  throw new Error(`${name} comes without the text of its licence, ${license}`)
}

const ISC = `
Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is
hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF
USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

/** `npm run build`: the bundles that are shipped, in `dist/`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './build/bundle.ts'
import { collectNotices } from './build/notices.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const inputs = await bundle(root)
await writeFile(join(root, 'dist/NOTICES'), await collectNotices(root, inputs))

/**
 * Where Caravan's own files are.
 *
 * Sources run in place and bundles run from `dist/`; both stand two folders below the root of the
 * package, and programs have the same path in `src/` and `dist/`, so that this file alone knows the difference.
 */
const ROOT = new URL('../../', import.meta.url)
const IS_BUNDLED = !import.meta.url.endsWith('.ts')

/** @param path below the root of the package, such as `nomad/jobs/build-slice.nomad.hcl`. */
export function ownFile(path: string): URL {
  return new URL(path, ROOT)
}

/**
 * A program or a thread that Caravan starts. Each is an entry of its own in the bundle.
 *
 * @param path below `src/`, without its ending.
 */
export function ownProgram(path: string): URL {
  return ownFile(IS_BUNDLED ? `dist/${path}.js` : `src/${path}.ts`)
}

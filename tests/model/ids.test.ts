import fc from 'fast-check'
import t from 'tap'
import {
  createBuildId,
  isBuildId,
  parseNomadJobId,
  parseSliceKey,
  toNomadJobId,
  toSliceKey,
} from '../../src/model/index.ts'

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
const build = fc
  .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), bytes(8))
  .map(([seconds, random]) => createBuildId(seconds * 1000, random))

t.test('a build id is 24 hex digits that sort by age', (t) => {
  fc.assert(fc.property(build, (id) => isBuildId(id)))
  const older = createBuildId(1_700_000_000_000, new Uint8Array(8).fill(255))
  const newer = createBuildId(1_700_000_001_000, new Uint8Array(8))
  t.ok(older < newer)
  t.notOk(isBuildId('5A4EA06B7D560D000116830F'), 'upper case is not ours')
  t.end()
})

t.test('a slice key reads back', (t) => {
  fc.assert(
    fc.property(build, fc.integer({ min: 0, max: 99_999 }), (id, index) => {
      const parts = parseSliceKey(toSliceKey(id, index))
      return parts?.build === id && parts.index === index
    }),
  )
  for (const bad of ['', 'x-0', '5a4ea06b7d560d000116830f', '5a4ea06b7d560d000116830f-']) {
    t.equal(parseSliceKey(bad), null)
  }
  t.end()
})

t.test('a Nomad job id has the form that operators know', (t) => {
  const parts = {
    build: createBuildId(0x5a4ea06b_000, Buffer.from('7d560d000116830f', 'hex')),
    index: 0,
    org: 'GERey',
    repo: 'realitycheck',
    number: 1,
    epoch: 1,
  }
  const id = parts.build
  t.equal(toNomadJobId(parts), `${id}-0-build-GERey-realitycheck-1`)
  t.equal(toNomadJobId({ ...parts, epoch: 2 }), `${id}-0-build-GERey-realitycheck-1-r2`)
  t.equal(toNomadJobId({ ...parts, org: 'ä/b', repo: 'c d' }), `${id}-0-build-__b-c_d-1`)
  t.end()
})

t.test('B75: whatever org and repo are called, the job id is safe and reads back', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        build,
        index: fc.integer({ min: 0, max: 999 }),
        org: fc.string({ minLength: 1 }),
        repo: fc.string({ minLength: 1 }),
        number: fc.integer({ min: 1, max: 1_000_000 }),
        epoch: fc.integer({ min: 1, max: 9 }),
      }),
      (parts) => {
        const id = toNomadJobId(parts)
        const { build, index, number, epoch } = parts
        t.match(id, /^[A-Za-z0-9._-]+$/)
        t.same(parseNomadJobId(id), { build, index, number, epoch })
      },
    ),
  )
  t.equal(parseNomadJobId('some-other-job'), null)
  t.end()
})

/** What goes over the wire, byte by byte. */
import t from 'tap'
import { packLines, UDP_BYTES_MAX } from '../../src/metrics/datagrams.ts'
import {
  formatEvent,
  formatMetric,
  formatServiceCheck,
  type Metric,
} from '../../src/metrics/format.ts'
import { toResourceGauges } from '../../src/metrics/polls.ts'
import { toLines } from '../../src/metrics/gauge.ts'

const CLIENT = 'circle.nomad.client_agent.resources'
const gauge = (value: number, tags: Metric['tags'] = {}, name = 'a.b'): Metric => ({
  name,
  type: 'g',
  value,
  tags,
})

const ROWS: readonly [row: number, metric: Metric, line: string | null][] = [
  [
    1,
    gauge(0, {}, 'circle.nomad.server_agent.poll_failure'),
    'circle.nomad.server_agent.poll_failure:0|g',
  ],
  [
    2,
    gauge(1, {}, 'circle.nomad.client_agent.poll_failure'),
    'circle.nomad.client_agent.poll_failure:1|g',
  ],
  [
    3,
    gauge(40_000, { drain: false, status: 'ready' }, `${CLIENT}.total.cpu`),
    `${CLIENT}.total.cpu:40000|g|#drain:false,status:ready`,
  ],
  [
    4,
    gauge(40_000, { status: 'ready', drain: false }, `${CLIENT}.total.cpu`),
    `${CLIENT}.total.cpu:40000|g|#drain:false,status:ready`,
  ],
  [
    5,
    gauge(0, { drain: true, status: 'down' }, `${CLIENT}.total.iops`),
    `${CLIENT}.total.iops:0|g|#drain:true,status:down`,
  ],
  [
    6,
    gauge(0, {}, 'circle.nomad.server_agent.jobs.complete'),
    'circle.nomad.server_agent.jobs.complete:0|g',
  ],
  [7, gauge(0.1 + 0.2), 'a.b:0.3|g'],
  [8, gauge(1e21), 'a.b:1000000000000000000000|g'],
  [9, gauge(1e-7), 'a.b:0|g'],
  [10, gauge(-0), 'a.b:0|g'],
  [11, gauge(Number.NaN), null],
  [12, gauge(Infinity), null],
  [14, gauge(1, { drain: false }), 'a.b:1|g|#drain:false'],
  [15, gauge(1, { x: '' }), 'a.b:1|g'],
  [16, gauge(1, { x: null, y: undefined }), 'a.b:1|g'],
  [17, gauge(1, { x: 'a,b' }), 'a.b:1|g|#x:a_b'],
  [18, gauge(1, { x: 'a|b' }), 'a.b:1|g|#x:a_b'],
  [19, gauge(1, { x: 'a\nb' }), 'a.b:1|g|#x:a_b'],
  [20, gauge(1, { x: 'a\r\nb' }), 'a.b:1|g|#x:a__b'],
  [21, gauge(1, { url: 'http://h:80/x' }), 'a.b:1|g|#url:http://h:80/x'],
  [22, gauge(1, { x: 'a b' }), 'a.b:1|g|#x:a_b'],
  [23, gauge(1, { Env: 'Prod' }), 'a.b:1|g|#env:Prod'],
  [24, gauge(1, { x: '\u00e9\u2713' }), 'a.b:1|g|#x:__'],
  [25, gauge(1, { x: 'z'.repeat(250) }), `a.b:1|g|#x:${'z'.repeat(198)}`],
  [26, gauge(1, {}, 'a:b|c'), 'a_b_c:1|g'],
  [27, gauge(1, {}, 'a b-c'), 'a_b-c:1|g'],
  [29, { name: 'a.c', type: 'c', value: 3, tags: { k: 'v' } }, 'a.c:3|c|#k:v'],
  [30, { name: 'a.h', type: 'h', value: 12, rate: 0.5, tags: { k: 'v' } }, 'a.h:12|h|@0.5|#k:v'],
  [31, { name: 'a.d', type: 'd', value: 1.5, tags: { k: 'v' } }, 'a.d:1.5|d|#k:v'],
  [32, { name: 'a.t', type: 'ms', value: 12.7 }, 'a.t:12.7|ms'],
  [33, { ...gauge(1, { k: 'v' }), timestamp: 1_763_696_607 }, 'a.b:1|g|#k:v|T1763696607'],
]

for (const [row, metric, line] of ROWS) {
  t.test(`row ${row} of the wire format`, async (t) => t.equal(formatMetric(metric), line))
}

t.test('row 13 of the wire format: less than nothing is none left, and told apart', async (t) => {
  const none = { cpu: 0, memory: 0, disk: 0, iops: 0 }
  const left = { total: none, used: none, available: none, overcommit: { ...none, cpu: 5 } }
  const lines = toLines(toResourceGauges(left, {}, { iops: true, overcommit: true }))
  t.match(lines, [/^/, /^/, `${CLIENT}.available.cpu:0|g`, `${CLIENT}.overcommit.cpu:5|g`])
  t.equal(formatMetric(gauge(-5)), null, 'a sign would be read as a difference')
})

t.test('row 28 of the wire format: a name that can not be mended is refused', async (t) => {
  for (const name of ['1a', `a${'b'.repeat(200)}`]) {
    t.throws(() => formatMetric(gauge(1, {}, name)), { code: 'INTERNAL' })
  }
})

t.test('row 34 of the wire format: an event of two lines', async (t) => {
  const event = { title: 'Node down', text: 'l1\nl2', alert: 'warning', tags: { k: 'v' } } as const
  t.equal(formatEvent(event), String.raw`_e{9,6}:Node down|l1\nl2|t:warning|#k:v`)
})

t.test('row 35 of the wire format: lengths are of bytes', async (t) => {
  t.equal(formatEvent({ title: '\u00e9', text: '\u00fc' }), '_e{2,2}:\u00e9|\u00fc')
})

t.test('row 36 of the wire format: a check with a message of two lines', async (t) => {
  const check = { name: 'nomad.up', status: 2, message: 'a\nb', tags: { k: 'v' } } as const
  t.equal(formatServiceCheck(check), String.raw`_sc|nomad.up|2|#k:v|m:a\nb`)
})

t.test('row 37 of the wire format: lines are joined, and nothing stands at the end', async (t) => {
  t.same(packLines(['a:0|g', 'b:0|g'], UDP_BYTES_MAX).datagrams, ['a:0|g\nb:0|g'])
})

t.test('row 38 of the wire format: what just fits goes in one', async (t) => {
  const { datagrams } = packLines(['x'.repeat(700), 'y'.repeat(731)], UDP_BYTES_MAX)
  t.same(
    datagrams.map((each) => each.length),
    [1432],
  )
})

t.test('row 39 of the wire format: a byte more goes in two', async (t) => {
  const { datagrams } = packLines(['x'.repeat(700), 'y'.repeat(732)], UDP_BYTES_MAX)
  t.same(
    datagrams.map((each) => each.length),
    [700, 732],
  )
})

t.test('row 40 of the wire format: a line that fits nowhere is left out', async (t) => {
  const { datagrams, tooLong } = packLines(['x'.repeat(1500), 'a:0|g'], UDP_BYTES_MAX)
  t.same([datagrams, tooLong.length], [['a:0|g'], 1])
})

t.test('the limit counts bytes, not characters', async (t) => {
  t.equal(packLines(['\u00e9'.repeat(20)], 39).tooLong.length, 1)
})

t.test('the key of a tag is what a label may be', async (t) => {
  t.throws(() => formatMetric(gauge(1, { 'a-b': 'x' })), { code: 'INTERNAL' })
})

/** The query protocols on the wire: names that are paths, answers as XML. */
import t from 'tap'
import { Refusal } from '../../../../src/dev/index.ts'
import { parseQuery, renameEc2 } from '../../../../src/dev/aws/http/query.ts'
import { toAnswer, toFault } from '../../../../src/dev/aws/http/xml.ts'

const parse = (text: string) => parseQuery(new URLSearchParams(text))

t.test('numbered names are lists, dotted ones are structures, member is only a word', (t) => {
  t.same(parse('A=1&B.member.2=y&B.member.1=x&C.member.1.Name=n&C.member.1.Values.member.1=v'), {
    A: '1',
    B: ['x', 'y'],
    C: [{ Name: 'n', Values: ['v'] }],
  })
  const many = Array.from({ length: 12 }, (_none, at) => `L.member.${at + 1}=${at}`).join('&')
  t.same(
    parse(many)?.['L'],
    Array.from({ length: 12 }, (_none, at) => String(at)),
    'ten after nine',
  )
  t.same(parse('Empty='), { Empty: '' })
  t.end()
})

t.test('names that contradict one another, or build towers, are none', (t) => {
  t.equal(parse('A=1&A.B=2'), null)
  t.equal(parse('A.B=2&A=1'), null)
  t.equal(parse('A=1&A=2'), null)
  t.equal(parse(`${'A.'.repeat(40)}B=1`), null)
  t.same(Object.getPrototypeOf(parse('__proto__.x=1')), Object.prototype)
  t.equal(({} as { x?: unknown }).x, undefined)
  t.end()
})

t.test("EC2's lists get the SDK's names, single values keep theirs", (t) => {
  const parsed = parse('InstanceId.1=i-1&Filter.1.Name=n&Filter.1.Value.1=v')
  t.same(renameEc2(parsed), { InstanceIds: ['i-1'], Filters: [{ Name: 'n', Values: ['v'] }] })
  t.same(renameEc2(parse('InstanceId=i-1&DisableApiTermination.Value=true')), {
    InstanceId: 'i-1',
    DisableApiTermination: { Value: 'true' },
  })
  t.end()
})

t.test('answers are wrapped and escaped as each service does it', (t) => {
  const output = { Groups: [{ Name: 'a<b>&"c"' }], At: new Date(0), On: true, None: undefined }
  t.match(
    toAnswer('autoscaling', 'Describe', output, 'r1'),
    '<DescribeResult><Groups><member><Name>a&lt;b&gt;&amp;&quot;c&quot;</Name></member></Groups><At>1970-01-01T00:00:00.000Z</At><On>true</On></DescribeResult><ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>',
  )
  t.match(
    toAnswer('ec2', 'Describe', { Reservations: [{ Instances: [{ State: { Code: 0 } }] }] }, 'r1'),
    '<requestId>r1</requestId><reservationSet><item><instancesSet><item><instanceState><code>0</code></instanceState></item></instancesSet></item></reservationSet>',
  )
  t.match(toAnswer('ec2', 'CreateTags', {}, 'r1'), '<return>true</return>')
  t.match(
    toAnswer('autoscaling', 'PutLifecycleHook', {}, 'r1'),
    '<PutLifecycleHookResult></PutLifecycleHookResult>',
  )
  t.notMatch(toAnswer('autoscaling', 'SetDesiredCapacity', {}, 'r1'), 'Result>')
  t.end()
})

t.test('refusals are told in the form of the service', (t) => {
  const refusal = new Refusal('Throttling', 'Rate exceeded')
  const error = '<Code>Throttling</Code><Message>Rate exceeded</Message>'
  t.match(toFault('autoscaling', refusal, 'r1'), `<Error><Type>Sender</Type>${error}</Error>`)
  t.match(toFault('ec2', refusal, 'r1'), `<Response><Errors><Error>${error}</Error></Errors>`)
  t.end()
})

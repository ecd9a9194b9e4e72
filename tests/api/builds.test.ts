import t from 'tap'
import {
  type BuildRequest,
  buildList,
  buildView,
  CaravanError,
  dryRunAnswer,
  errorBody,
} from '../../src/model/index.ts'
import { aBuild, aSlice, aStep } from '../support/builds.ts'
import { asJson, call, startScripted } from '../support/scripted-api.ts'

const A_REQUEST = { config: 'version: 2.1', org: 'acme', repo: 'shop', branch: 'main' }

t.test('a build is submitted with all defaults filled in', async (t) => {
  const submitted: BuildRequest[] = []
  const submit = async (request: BuildRequest) => {
    submitted.push(request)
    return aBuild()
  }
  const { api } = await startScripted(t, { submit })
  const { status, json, headers } = await call(api, 'POST', '/api/v1/builds', asJson(A_REQUEST))
  t.equal(status, 201)
  t.same(buildView.parse(json), aBuild())
  t.equal(headers.get('location'), `/api/v1/builds/${aBuild().id}`)
  const defaults = { config_file: '.circleci/config.yml', source: { kind: 'none' }, priority: 50 }
  t.match(submitted, [{ ...A_REQUEST, ...defaults }])
})

t.test('a build is run again, all of it or what failed', async (t) => {
  const asked: unknown[] = []
  const { api } = await startScripted(t, {
    rerunBuild: async (ref, options) => {
      asked.push([ref, options])
      return ref === '9' ? null : aBuild({ number: 2, rerun_of: 1 })
    },
  })
  const { status, json, headers } = await call(api, 'POST', '/api/v1/builds/1/rerun')
  t.equal(status, 201)
  t.match(buildView.parse(json), { number: 2, rerun_of: 1 })
  t.equal(headers.get('location'), `/api/v1/builds/${aBuild().id}`)
  await call(api, 'POST', '/api/v1/builds/1/rerun?failed=true')
  t.same(asked, [
    ['1', { failed: false }],
    ['1', { failed: true }],
  ])
  t.equal((await call(api, 'POST', '/api/v1/builds/9/rerun')).status, 404)
  t.equal((await call(api, 'POST', '/api/v1/builds/1/rerun?failed=some')).status, 400)
})

t.test('a dry run stores nothing', async (t) => {
  const answer = {
    slices: [{ vars: { a: 1 }, job: { ID: 'x' }, added: {} }],
    warnings: ['careful'],
  }
  const { api } = await startScripted(t, { dryRun: async () => answer })
  const path = '/api/v1/builds?dry_run=true'
  const { status, json } = await call(api, 'POST', path, asJson(A_REQUEST))
  t.equal(status, 200)
  t.same(dryRunAnswer.parse(json), answer)
  const maybe = await call(api, 'POST', '/api/v1/builds?dry_run=maybe', asJson(A_REQUEST))
  t.equal(maybe.status, 400)
})

t.test('builds are listed by pages', async (t) => {
  const asked: unknown[] = []
  const { slices: _slices, warnings: _warnings, ...summary } = aBuild()
  const { api } = await startScripted(t, {
    listBuilds: async (page) => {
      asked.push(page)
      return { builds: [summary], next_cursor: 'next' }
    },
  })
  const first = await call(api, 'GET', '/api/v1/builds')
  t.same(buildList.parse(first.json), { builds: [summary], next_cursor: 'next' })
  await call(api, 'GET', '/api/v1/builds?cursor=next&limit=7')
  t.same(asked, [{ limit: 50 }, { cursor: 'next', limit: 7 }])
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1.5', 'limit=1&limit=2']) {
    t.equal((await call(api, 'GET', `/api/v1/builds?${query}`)).status, 400, query)
  }
})

t.test('a build is shown and canceled by id and by number', async (t) => {
  const build = aBuild({ slices: [aSlice({ steps: [aStep(), aStep({ index: 1 })] })] })
  const find = async (ref: string) => ([build.id, '1'].includes(ref) ? build : null)
  const { api } = await startScripted(t, { readBuild: find, cancelBuild: find })
  for (const ref of [build.id, '1']) {
    t.same(buildView.parse((await call(api, 'GET', `/api/v1/builds/${ref}`)).json), build)
    const canceled = await call(api, 'POST', `/api/v1/builds/${ref}/cancel`)
    t.equal(canceled.status, 200)
    t.same(buildView.parse(canceled.json), build)
  }
  for (const ref of ['2', 'f'.repeat(24), 'nonsense', '0', '-1', '..%2f..', '1e3']) {
    for (const [method, path] of [
      ['GET', `/api/v1/builds/${ref}`],
      ['POST', `/api/v1/builds/${ref}/cancel`],
    ] as const) {
      const { status, json } = await call(api, method, path)
      t.equal(status, 404, `${method} ${path}`)
      t.equal(errorBody.parse(json).error, 'NOT_FOUND')
    }
  }
})

t.test('what is wrong with a request is told field by field', async (t) => {
  const { api } = await startScripted(t)
  const body = { ...A_REQUEST, org: '', parallelism: 0, branch: undefined }
  const { status, json } = await call(api, 'POST', '/api/v1/builds', asJson(body))
  t.equal(status, 400)
  const { error, message, details } = errorBody.parse(json)
  t.equal(error, 'INPUT_INVALID')
  for (const path of ['org', 'parallelism', 'branch']) {
    t.match(message, `${path}: `)
    t.match(details, { problems: [{ path: /./ }, { path: /./ }, { path: /./ }] })
  }
})

t.test('an error of the catalogue has its status, and its detail reaches the caller', async (t) => {
  const problems = [{ file: 'config.yml', line: 3, message: 'is not supported' }]
  const { api, log } = await startScripted(t, {
    submit: async () => {
      throw new CaravanError('CONFIG_INVALID', 'it cannot be compiled', { detail: { problems } })
    },
    listBuilds: async () => {
      throw new CaravanError('NOMAD_UNREACHABLE', 'Nomad is away', { cause: new Error('ECONN') })
    },
  })
  const refused = await call(api, 'POST', '/api/v1/builds', asJson(A_REQUEST))
  t.equal(refused.status, 422)
  t.same(refused.json, {
    error: 'CONFIG_INVALID',
    message: 'it cannot be compiled',
    details: { problems },
  })
  t.same(log, [], 'the mistake of a caller is nothing for the log of an operator')
  const away = await call(api, 'GET', '/api/v1/builds')
  t.equal(away.status, 502)
  t.same(away.json, { error: 'NOMAD_UNREACHABLE', message: 'Nomad is away', details: {} })
  t.match(log, [{ level: 'error', fields: { path: '/api/v1/builds', cause: /ECONN/ } }])
})

t.test('an unknown failure is told to the log, not to the caller', async (t) => {
  const { api, log } = await startScripted(t, {
    readBuild: async () => {
      throw new Error('password=hunter2', { cause: new Error('deeper') })
    },
    listBuilds: async () => ({ builds: [{ id: 'not a build' } as never], next_cursor: null }),
  })
  const { status, json, text } = await call(api, 'GET', '/api/v1/builds/1?token=secret')
  t.equal(status, 500)
  t.equal(errorBody.parse(json).error, 'INTERNAL')
  t.notMatch(text, 'hunter2')
  t.match(log, [{ level: 'error', fields: { cause: 'password=hunter2: deeper', method: 'GET' } }])
  t.equal(log[0]?.fields['path'], '/api/v1/builds/1', 'a query is not logged')
  t.equal(
    errorBody.parse(json).details['request'],
    log[0]?.fields['request'],
    'one finds the other',
  )
  const malformed = await call(api, 'GET', '/api/v1/builds')
  t.equal(malformed.status, 500, 'an answer of the wrong shape does not leave the server')
})

t.test('a wrong path and a wrong method are told apart', async (t) => {
  const { api } = await startScripted(t)
  const nothing = await call(api, 'GET', '/api/v2/builds')
  t.equal(nothing.status, 404)
  t.equal(errorBody.parse(nothing.json).error, 'NOT_FOUND')
  for (const method of ['DELETE', 'PUT', 'OPTIONS']) {
    const { status, headers, json } = await call(api, method, '/api/v1/builds/1')
    t.equal(status, 405)
    t.equal(headers.get('allow'), 'GET, HEAD')
    errorBody.parse(json)
  }
  t.equal((await call(api, 'HEAD', '/api/v1/builds/1/follow')).status, 405)
})

import t from 'tap'
import {
  expandHome,
  resolveStepDirectory,
  resolveWorkingDirectory,
} from '../../src/build-agent/paths.ts'

t.test('only a leading ~ is expanded', async (t) => {
  t.equal(expandHome('~', '/h'), '/h')
  t.equal(expandHome('~/a/b', '/h'), '/h/a/b')
  for (const path of ['~user/a', 'a/~', '$HOME/a', '']) t.equal(expandHome(path, '/h'), path)
})

t.test('a working directory is absolute, below home, or relative to home', async (t) => {
  t.equal(resolveWorkingDirectory('~/project', '/h'), '/h/project')
  t.equal(resolveWorkingDirectory('/opt/app/', '/h'), '/opt/app')
  t.equal(resolveWorkingDirectory('app', '/h'), '/h/app')
})

t.test("a step's directory is seen from the job's", async (t) => {
  const place = { workingDirectory: '/h/project', home: '/h' }
  t.equal(resolveStepDirectory(undefined, place), '/h/project')
  t.equal(resolveStepDirectory('sub', place), '/h/project/sub')
  t.equal(resolveStepDirectory('..', place), '/h')
  t.equal(resolveStepDirectory('~/x', place), '/h/x')
  t.equal(
    resolveStepDirectory('$CIRCLE_WORKING_DIRECTORY/tests', place),
    '/h/project/$CIRCLE_WORKING_DIRECTORY/tests',
  )
})

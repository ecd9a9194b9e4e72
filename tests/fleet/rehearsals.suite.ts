/** What the guide of rehearsals promises. Most of it is waiting, so both wait at the same time. */
import t from 'tap'
import { testExamples } from './rehearsals/examples.ts'
import { testInstallation } from './rehearsals/installation.ts'

t.jobs = 2
t.test(
  'every example comes to its end, and tells what it promises',
  { buffered: true },
  testExamples,
)
t.test(
  'a build makes a group grow from nothing, and shrink again',
  { buffered: true },
  testInstallation,
)

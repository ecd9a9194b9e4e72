import { testCentury } from './century.mjs'

testCentury(1800)

import { testCentury } from './century.mjs'

testCentury(2100)

import t from 'tap'
import {
  agreeOnProtocol,
  PROTOCOL_VERSION,
  type ProtocolWindow,
  PROTOCOLS,
  windowOf,
} from '../../src/model/index.ts'

t.test('the newest protocol that both speak is spoken', (t) => {
  const rows: [one: ProtocolWindow, other: ProtocolWindow, agreed: number | null][] = [
    [windowOf(1), windowOf(1), 1],
    [windowOf(1), windowOf(2), 1],
    [windowOf(2), windowOf(2), 2],
    [windowOf(2), windowOf(3), 2],
    [windowOf(3), windowOf(3), 3],
    [windowOf(1), windowOf(3), null],
    [windowOf(2), windowOf(4), null],
    [{ oldest: 3, newest: 3 }, windowOf(2), null],
    [{ oldest: 1, newest: 9 }, windowOf(4), 4],
  ]
  for (const [one, other, agreed] of rows) {
    t.equal(agreeOnProtocol(one, other), agreed, JSON.stringify([one, other]))
    t.equal(agreeOnProtocol(other, one), agreed, 'whoever asks')
  }
  t.end()
})

t.test('neighbouring versions understand each other, and ours is among them', (t) => {
  for (let newest = 1; newest < 20; newest++) {
    t.equal(agreeOnProtocol(windowOf(newest), windowOf(newest + 1)), newest)
  }
  t.equal(PROTOCOLS.newest, PROTOCOL_VERSION)
  t.ok(PROTOCOLS.oldest >= 1 && PROTOCOLS.oldest >= PROTOCOLS.newest - 1)
  t.end()
})

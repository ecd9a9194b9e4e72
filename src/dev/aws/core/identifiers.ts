/** Identifiers in the shapes that EC2 and Auto Scaling give them. */
import type { World } from './world.ts'

/** EC2's long form: 17 hex digits. */
export function createEc2Id(world: World, prefix: 'i' | 'r' | 'lt'): string {
  return `${prefix}-${hex(world, 9).slice(0, 17)}`
}

/** 36 characters, as lifecycle action tokens and activity ids have. */
export function createUuid(world: World): string {
  const text = hex(world, 16)
  const variant = '89ab'[Number.parseInt(text[16] ?? '0', 16) & 3]
  return [
    text.slice(0, 8),
    text.slice(8, 12),
    `4${text.slice(13, 16)}`,
    `${variant}${text.slice(17, 20)}`,
    text.slice(20),
  ].join('-')
}

export function createPrivateIp(world: World): string {
  const [a = 0, b = 0] = world.random.bytes(2)
  // The first four addresses and the last one of a subnet are EC2's own.
  return `10.0.${a}.${4 + (b % 251)}`
}

/** Short and stable, for an image of which only a name is known. */
export function toImageId(name: string): string {
  let hash = 0xcbf29ce484222325n
  for (const char of Buffer.from(name)) hash = ((hash ^ BigInt(char)) * 0x100000001b3n) & MASK
  return `ami-0${hash.toString(16).padStart(16, '0')}`
}

const MASK = 0xffff_ffff_ffff_ffffn

function hex(world: World, bytes: number): string {
  return Buffer.from(world.random.bytes(bytes)).toString('hex')
}

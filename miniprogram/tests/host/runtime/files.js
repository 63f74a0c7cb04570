/**
 * The phone's files as a mini-program sees them: temporary ones, which go when it is closed, and
 * its own under USER_DATA_PATH, which stay.
 */

import { Refused } from './calls.js'

export const USER = 'wxfile://usr'
const TEMPORARY = 'wxfile://tmp_'
const MOST_BYTES = 200 * 2 ** 20
export const TYPES = { jpg: 'image/jpeg', png: 'image/png', gif: 'image/gif', webp: 'image/webp', unknown: 'application/octet-stream' }

/** @type {Map<string, Uint8Array>} */
const contents = new Map()
/** @type {Map<string, string>} */
const addresses = new Map()
let serial = 0

export const limits = { bytes: MOST_BYTES }

export function keepTemporary(bytes, extension = kind(bytes)) {
  const path = `${TEMPORARY}${(++serial).toString(16).padStart(8, '0')}.${extension}`
  contents.set(path, bytes)
  return path
}

export const exists = (path) => contents.has(path)
export const saved = () => [...contents.keys()].filter((path) => !path.startsWith(TEMPORARY))

/** @returns {Uint8Array} */
export function bytesOf(path) {
  const bytes = contents.get(path)
  if (!bytes) throw missing(path)
  return bytes
}

export function write(path, bytes) {
  if (!path.startsWith(`${USER}/`)) throw new Refused(`permission denied, open "${path}"`, 1300013)
  const others = saved().filter((name) => name !== path).reduce((sum, name) => sum + bytesOf(name).length, 0)
  if (others + bytes.length > limits.bytes) throw new Refused('the maximum size of the file storage limit is exceeded', 1300202)
  forget(path)
  contents.set(path, bytes)
}

export function remove(path) {
  if (!contents.has(path)) throw missing(path)
  forget(path)
  contents.delete(path)
}

/** An address at which Chromium finds a file: what `src` of an <image> needs. */
export function address(path) {
  const known = addresses.get(path)
  if (known) return known
  const bytes = bytesOf(path)
  const made = URL.createObjectURL(new Blob([bytes], { type: TYPES[kind(bytes)] }))
  addresses.set(path, made)
  return made
}

/** What happens to temporary files when the mini-program is closed. */
export function dropTemporary() {
  ;[...contents.keys()].filter((path) => path.startsWith(TEMPORARY)).forEach(remove)
}

/** By the first bytes, as names prove nothing. */
export function kind(bytes) {
  const starts = (...values) => values.every((value, index) => bytes[index] === value)
  if (starts(0xff, 0xd8)) return 'jpg'
  if (starts(0x89, 0x50)) return 'png'
  if (starts(0x47, 0x49)) return 'gif'
  return starts(0x52, 0x49, 0x46, 0x46) ? 'webp' : 'unknown'
}

const missing = (path) => new Refused(`no such file or directory "${path}"`, 1300002)

function forget(path) {
  const known = addresses.get(path)
  if (known) URL.revokeObjectURL(known)
  addresses.delete(path)
}

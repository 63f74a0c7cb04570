/** Storage: 1 MB a key, 10 MB in all, as WeChat has it. */

import { complain, world } from '../world.js'

const MOST_KEY = 2 ** 20
const MOST = 10 * 2 ** 20

const size = (key, text) => new Blob([key, text]).size
const others = (key) => [...world.storage].reduce((sum, [name, text]) => sum + (name === key ? 0 : size(name, text)), 0)

export const storage = {
  setStorageSync(key, data) {
    const text = JSON.stringify(data)
    if (text === undefined) complain(`setStorageSync of "${key}" with ${typeof data}`)
    if (size(key, text) > MOST_KEY) throw new Error('setStorageSync:fail entry size limit reached')
    if (others(key) + size(key, text) > MOST) throw new Error('setStorageSync:fail exceed storage max size 10Mb')
    world.storage.set(key, text)
  },
  getStorageSync: (key) => (world.storage.has(key) ? JSON.parse(world.storage.get(key)) : ''),
  removeStorageSync: (key) => void world.storage.delete(key),
}

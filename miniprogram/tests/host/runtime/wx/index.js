/**
 * `wx`, as far as the mini-program uses it. Any other name throws: a function that is missing here
 * can't pass for one that works.
 */

import { complain, world } from '../world.js'
import { app } from './app.js'
import { canvas } from './canvas.js'
import { cloud } from './cloud.js'
import { fileSystem } from './files.js'
import { media } from './media.js'
import { network } from './network.js'
import { permissions } from './permissions.js'
import { storage } from './storage.js'
import { ui } from './ui.js'

export const functions = { ...app, ...ui, ...canvas, ...media, ...permissions, ...network, ...fileSystem, ...storage, cloud }

export const wx = new Proxy(functions, {
  get(target, name) {
    if (!Object.hasOwn(target, name)) {
      complain(`wx.${String(name)}: the host has no such function`)
      throw new Error(`wx.${String(name)} is not a function`)
    }
    return typeof target[name] === 'function' ? noted(name, target[name]) : target[name]
  },
})

/** Keep what was called with what, for tests to read. */
const noted = (name, run) => (options, ...rest) => {
  const plain = Object.entries(options ?? {}).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
  world.calls.push({ name, options: Object.fromEntries(plain) })
  return run(options, ...rest)
}

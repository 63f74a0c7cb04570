/** What each page and component hands to Page() or Component(), found by running its file alone. */

import path from 'node:path'
import vm from 'node:vm'
import { read } from '../host/build/project.mjs'

/**
 * @param {string} root
 * @param {string} unit path without extension
 * @returns {{ data: object, properties: object, methods: Record<string, unknown> }}
 */
export function registered(root, unit) {
  let found = {}
  const note = (definition) => {
    found = definition
  }
  load(root, unit, note)
  const { data = {}, properties = {} } = found
  return { data, properties, methods: { ...found, ...found.methods } }
}

/** What a module exports, with nothing of WeChat at hand. */
export const exported = (root, file) => load(root, file.replace(/\.js$/, ''), () => {})

function load(root, unit, note) {
  const modules = new Map()
  const one = (file) => {
    if (modules.has(file)) return modules.get(file).exports
    const module = { exports: {} }
    modules.set(file, module)
    const require = (target) => one(path.posix.join(path.posix.dirname(file), target.replace(/\.js$/, '') + '.js'))
    const given = { module, exports: module.exports, require, Page: note, Component: note, App: () => {}, getApp: () => anything, getCurrentPages: () => [], wx: anything }
    vm.compileFunction(read(root, file), Object.keys(given), { filename: file })(...Object.values(given))
    return module.exports
  }
  return one(`${unit}.js`)
}

const anything = new Proxy(function () {}, { get: () => anything, apply: () => anything })

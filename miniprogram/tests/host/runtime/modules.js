/** The mini-program's own modules: found by WeChat's rules, loaded once a launch. */

const { modules } = window.__client

/**
 * @param {Record<string, unknown>} globals what WeChat gives every module
 * @param {Record<string, object>} overrides fields of what a module exports, by file: a test's config.js
 */
export function moduleLoader(globals, overrides) {
  const loaded = new Map()
  const load = (file) => {
    const known = loaded.get(file)
    if (known) return known.exports
    const module = { exports: {} }
    loaded.set(file, module)
    const { wx, App, Page, Component, getApp, getCurrentPages } = globals
    const require = (target) => load(found(file, target))
    modules[file].call(undefined, require, module, module.exports, wx, App, Page, Component, getApp, getCurrentPages)
    if (overrides[file]) Object.assign(module.exports, overrides[file])
    return module.exports
  }
  return load
}

/** WeChat takes a path with or without `.js`, relative or from the root; it looks for no index.js. */
function found(file, target) {
  if (!/^\.{0,2}\//.test(target)) throw new Error(`${file}: require('${target}'): packages are not used here; give a path`)
  const base = target.startsWith('/') ? [] : file.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '..') base.pop()
    else if (part && part !== '.') base.push(part)
  }
  const path = base.join('/')
  const match = [path, `${path}.js`].find((name) => Object.hasOwn(modules, name))
  if (!match) throw new Error(`${file}: module '${target}' is not defined`)
  return match
}

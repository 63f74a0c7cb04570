/** Reads a mini-program the way WeChat does: app.json, its pages, and the components they use. */

import fs from 'node:fs'
import path from 'node:path'

/** @typedef {{ isPage: boolean, json: any, using: Record<string, string>, wxml: string }} Unit */

/**
 * @param {string} root the folder of app.json
 * @returns {{ root: string, appJson: any, units: Map<string, Unit>, modules: string[] }}
 *   `units` by path without extension (`pages/camera/camera`); `modules`: every .js file
 * Throws where WeChat's compiler would: a missing file, JSON that is none, `"component": true` left out.
 */
export function readProject(root) {
  const appJson = readJson(root, 'app.json')
  /** @type {Map<string, Unit>} */
  const units = new Map()
  const add = (unit, isPage) => {
    if (units.has(unit)) return
    const json = fs.existsSync(path.join(root, `${unit}.json`)) ? readJson(root, `${unit}.json`) : {}
    if (!isPage && json.component !== true) throw new Error(`${unit}.json: "component": true is missing`)
    const named = { ...appJson.usingComponents, ...json.usingComponents }
    const using = Object.fromEntries(Object.entries(named).map(([tag, target]) => [tag, from(unit, target)]))
    units.set(unit, { isPage, json, using, wxml: read(root, `${unit}.wxml`) })
    Object.values(using).forEach((target) => add(target, false))
  }
  appJson.pages.forEach((page) => add(page, true))
  return { root, appJson, units, modules: files(root).filter((file) => file.endsWith('.js')) }
}

/** Every file under a folder, as relative paths with slashes. */
export function files(root) {
  return fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)).split(path.sep).join('/'))
    .sort()
}

/** A path in a file of the project, as a path from the project's root. */
export function from(file, target) {
  return target.startsWith('/') ? target.slice(1) : path.posix.join(path.posix.dirname(file), target)
}

export function read(root, file) {
  return fs.readFileSync(path.join(root, file), 'utf8')
}

function readJson(root, file) {
  try {
    return JSON.parse(read(root, file))
  } catch (error) {
    throw new Error(`${file}: ${error.message}`)
  }
}

/** What can be found without running the mini-program. */

import fs from 'node:fs'
import path from 'node:path'
import { files, read, readProject } from '../host/build/project.mjs'
import { TAKEN } from '../host/build/site.mjs'
import { compileWxss } from '../host/build/wxss.mjs'
import { exported } from './registered.mjs'
import { templateProblems } from './templates.mjs'

/** The whole client; WeChat itself allows 2 MB. */
const MOST_BYTES = 200 * 1024

/**
 * @param {string} root the folder of app.json
 * @returns {{ problems: string[], units: number, bytes: number }}
 */
export function lint(root) {
  const project = readProject(root)
  const bytes = files(root).reduce((sum, file) => sum + fs.statSync(path.join(root, file)).size, 0)
  const problems = [
    ...templateProblems(project),
    ...styleProblems(project),
    ...fileProblems(project),
    ...moduleProblems(project),
    ...themeProblems(project),
    ...textProblems(root),
    ...(bytes > MOST_BYTES ? [`the client has ${bytes} bytes, over ${MOST_BYTES}`] : []),
  ]
  return { problems: [...new Set(problems)], units: project.units.size, bytes }
}

function styleProblems({ root, units }) {
  const found = []
  compileWxss(root, 'app.wxss', '', found)
  units.forEach(({ isPage }, name) => compileWxss(root, `${name}.wxss`, isPage ? '' : 'scope', found))
  return found
}

/** A file that nothing leads to is uploaded to every phone for nothing. */
function fileProblems({ root, appJson, units, modules }) {
  const sources = files(root).filter((file) => /\.(js|wxml|json)$/.test(file)).map((file) => [file, read(root, file)])
  const required = new Set(sources.flatMap(([file, text]) => requires(file, text)))
  const led = new Set(['app.js', 'app.json', 'app.wxss', appJson.sitemapLocation, appJson.themeLocation, ...required])
  units.forEach((_, name) => ['js', 'json', 'wxml', 'wxss'].forEach((extension) => led.add(`${name}.${extension}`)))
  const isNamed = (file) => sources.some(([, text]) => text.includes(path.posix.basename(file)))
  const missing = [...required].filter((file) => !modules.includes(file)).map((file) => `${file}: required, but not there`)
  return [...missing, ...files(root).filter((file) => !led.has(file) && !isNamed(file)).map((file) => `${file}: nothing leads to it`)]
}

function requires(file, text) {
  if (!file.endsWith('.js')) return []
  return [...text.matchAll(/require\('([^']+)'\)/g)].map(([, target]) => path.posix.join(path.posix.dirname(file), target.endsWith('.js') ? target : `${target}.js`))
}

function moduleProblems({ root, modules }) {
  return modules.flatMap((file) =>
    [...read(root, file).matchAll(/^(?:const|let|class)\s+(\w+)/gm)]
      .filter(([, name]) => TAKEN.includes(name))
      .map(([, name]) => `${file}: ${name} is a name that WeChat gives every module; choose another`),
  )
}

function themeProblems({ root, appJson, units }) {
  if (!appJson.themeLocation) return []
  const theme = JSON.parse(read(root, appJson.themeLocation))
  const values = [appJson.window, ...[...units.values()].map(({ json }) => json)].flatMap((one) => Object.values(one ?? {}))
  const named = values.filter((value) => typeof value === 'string' && value.startsWith('@')).map((value) => value.slice(1))
  return ['light', 'dark'].flatMap((mode) =>
    named.filter((name) => !(name in (theme[mode] ?? {}))).map((name) => `${appJson.themeLocation}: ${mode} has no ${name}`),
  )
}

/** What leads to Chinese is named in it. */
const TO_CHINESE = new Set(['camera.language'])

/** Both languages have the same texts with the same places, and each text is used somewhere. */
function textProblems(root) {
  if (!fs.existsSync(path.join(root, 'i18n'))) return []
  const [zh, en] = ['zh', 'en'].map((language) => flat(exported(root, `i18n/${language}.js`)))
  const code = files(root).filter((file) => /\.(js|wxml)$/.test(file) && !file.startsWith('i18n/')).map((file) => read(root, file)).join('\n')
  const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort().join()
  const found = []
  for (const key of new Set([...Object.keys(zh), ...Object.keys(en)])) {
    if (!zh[key] || !en[key]) found.push(`i18n: ${key} is missing in ${zh[key] ? 'en' : 'zh'}`)
    else if (places(zh[key]) !== places(en[key])) found.push(`i18n: ${key} has the places ${places(zh[key])} in zh and ${places(en[key])} in en`)
    if (/\p{Script=Han}/u.test(en[key] ?? '') && !TO_CHINESE.has(key)) found.push(`i18n: ${key} is not in English in en`)
    if (!new RegExp(`\\b${key.split('.').pop()}\\b`).test(code) && !key.includes('.hints.')) found.push(`i18n: ${key} is used nowhere`)
  }
  return found
}

function flat(texts, above = '') {
  return Object.assign({}, ...Object.entries(texts).map(([key, value]) => (typeof value === 'string' ? { [above + key]: value } : flat(value, `${above}${key}.`))))
}

/**
 * What Chromium loads, in memory: the mini-program, compiled, and the host that stands in for WeChat.
 * They are two scripts, kept apart: the mini-program sees nothing of the host but what WeChat gives.
 */

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import { readProject, read, files } from './project.mjs'
import { compileTemplates } from './templates.mjs'
import { compileWxss } from './wxss.mjs'

const HERE = path.dirname(fileURLToPath(import.meta.url))

/**
 * Names that WeChat gives every module as undefined parameters. As parameters they can't be declared
 * anew by const or let: such a module doesn't load on a phone.
 */
export const TAKEN = `window document frames self location navigator localStorage history Caches screen alert
  confirm prompt fetch XMLHttpRequest WebSocket webkit WeixinJSCore Reporter DOMParser`.split(/\s+/)

// What Chromium has besides, and a mini-program's JavaScript has not.
const NOT_IN_WECHAT = `globalThis top parent EventSource FormData Blob File FileReader Headers Request Response URL
  URLSearchParams sessionStorage indexedDB caches Image Audio crypto TextDecoder TextEncoder atob btoa performance
  Worker MessageChannel CustomEvent Event EventTarget AbortController structuredClone queueMicrotask
  requestAnimationFrame cancelAnimationFrame requestIdleCallback createImageBitmap OffscreenCanvas matchMedia
  getComputedStyle __mini __client __given`.split(/\s+/)

const GIVEN = 'require module exports wx App Page Component getApp getCurrentPages'.split(' ')

/** The mini-program at `root` as a map of file name to content. */
export function buildClient(root) {
  const project = readProject(root)
  const names = [...project.units.keys()]
  const components = names.filter((name) => !project.units.get(name)?.isPage)
  const scopes = Object.fromEntries(components.map((name) => [name, name.replace(/\W+/g, '-')]))
  const { code, problems } = compileTemplates(project)
  if (problems.some((problem) => /error/.test(problem))) throw new Error(problems.join('\n'))
  const styles = Object.fromEntries(names.map((name) => [name, compileWxss(root, `${name}.wxss`, scopes[name])]))
  const theme = project.appJson.themeLocation ? JSON.parse(read(root, project.appJson.themeLocation)) : null
  const units = Object.fromEntries([...project.units].map(([name, { isPage, json, using }]) => [name, { isPage, json, using }]))
  const script = `globalThis.__client = {
    appJson: ${JSON.stringify(project.appJson)},
    theme: ${JSON.stringify(theme)},
    units: ${JSON.stringify(units)},
    scopes: ${JSON.stringify(scopes)},
    styles: ${JSON.stringify({ ...styles, app: compileWxss(root, 'app.wxss') })},
    templates: ${code},
    modules: {
      ${project.modules.map((file) => `${JSON.stringify(file)}: ${wrapped(read(root, file))}`).join(',\n')}
    },
  }`
  const assets = files(root).filter((file) => /\.(png|jpe?g|svg|gif|webp)$/.test(file))
  return new Map([['client.js', script], ...assets.map((file) => [`client/${file}`, fs.readFileSync(path.join(root, file))])])
}

/** @param {string} source of one module: a function of what it is given, as WeChat wraps it */
function wrapped(source) {
  return `function (${[...GIVEN, ...NOT_IN_WECHAT].join(', ')}) { (function (${TAKEN.join(', ')}) {\n${source}\n})() }`
}

/** The host, as a map of file name to content. */
export async function buildHost() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [path.join(HERE, '../runtime/main.js')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    logLevel: 'warning',
  })
  const page = (name) => fs.readFileSync(path.join(HERE, '../page', name), 'utf8')
  return new Map([
    ['host.js', outputFiles[0].text],
    ['host.css', page('host.css')],
    ['index.html', page('index.html')],
  ])
}

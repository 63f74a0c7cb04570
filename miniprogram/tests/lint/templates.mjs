/** WXML: two compilers, then names: tags, attributes, events, handlers, data; and what a screen reader needs. */

import { createRequire } from 'node:module'
import { BUILTINS, FLOW, camel } from '../host/builtins.mjs'
import { compileTemplates } from '../host/build/templates.mjs'
import { read } from '../host/build/project.mjs'
import { attribute, expressions, names, paths, tags } from './markup.mjs'
import { registered } from './registered.mjs'

const EVENT = /^(?:(?:capture-)?(?:mut-)?(?:bind|catch)):?(.+)$/
const GENERAL = /^(wx:(if|elif|else|for|for-item|for-index|key)|data-[\w-]+|mark:\w+|model:\w+|class|style|id|slot|hidden)$/

/** @param {ReturnType<typeof import('../host/build/project.mjs').readProject>} project @returns {string[]} */
export function templateProblems(project) {
  const found = [...compileTemplates(project).problems, ...byWcc(project.root)]
  for (const [name, unit] of project.units) {
    const definition = registered(project.root, name)
    for (const tag of tags(unit.wxml)) {
      const say = (problem) => found.push(`${name}.wxml:${tag.line}: <${tag.tag}> ${problem}`)
      checkNames(project, unit, definition, tag, say)
      checkLoop(tag, say)
      checkData(unit, definition, tag, say)
      checkHeard(tag, say)
    }
    const unused = Object.keys(unit.using).filter((tag) => !tags(unit.wxml).some((one) => one.tag === tag))
    found.push(...unused.map((tag) => `${name}.json: <${tag}> is never used`))
  }
  return found
}

/** WeChat's own compiler, as published: for x86-64 Linux, macOS and Windows. */
function byWcc(root) {
  if (process.platform === 'linux' && process.arch !== 'x64') return []
  try {
    createRequire(import.meta.url)('miniprogram-compiler').wxmlToJs(root)
    return []
  } catch (error) {
    return [`wcc: ${error.message.trim()}`]
  }
}

function checkNames(project, unit, { methods }, tag, say) {
  const target = unit.using[tag.tag]
  const builtin = target ? null : BUILTINS[tag.tag]
  if (!target && !builtin && !FLOW.has(tag.tag)) return say('is no component that is known here')
  const seen = new Set()
  for (const { name, value } of tag.attributes) {
    if (seen.has(name)) say(`has ${name} twice`)
    seen.add(name)
    const event = name.match(EVENT)?.[1]
    if (event) {
      if (!value?.includes('{{') && typeof methods[value] !== 'function') say(`calls ${value}() on ${event}, which is not there`)
      if (builtin && !builtin.events.includes(event)) say(`has no event ${event}`)
      if (target && !triggers(project.root, target, event)) say(`never triggers ${event}`)
    } else if (!GENERAL.test(name) && !FLOW.has(tag.tag)) {
      const known = builtin?.properties ?? registered(project.root, target).properties
      if (!Object.hasOwn(known, camel(name))) say(`has no attribute ${name}`)
    }
  }
}

const TOUCHES = new Set(['tap', 'longpress', 'touchstart', 'touchmove', 'touchend', 'touchcancel'])

function triggers(root, unit, event) {
  return TOUCHES.has(event) || new RegExp(`triggerEvent\\(\\s*'${event}'`).test(read(root, `${unit}.js`))
}

function checkLoop(tag, say) {
  if (attribute(tag, 'wx:for') !== undefined && attribute(tag, 'wx:key') === undefined) say('has wx:for without wx:key')
}

function checkData(unit, { data, properties }, tag, say) {
  const loops = [tag, ...tag.ancestors].filter((one) => attribute(one, 'wx:for') !== undefined)
  const local = loops.flatMap((one) => [attribute(one, 'wx:for-item') ?? 'item', attribute(one, 'wx:for-index') ?? 'index'])
  const known = new Set([...Object.keys(data), ...Object.keys(properties), ...local])
  const texts = [tag.text, ...tag.attributes.map(({ value }) => value)]
  for (const expression of texts.flatMap(expressions)) {
    for (const name of names(expression)) if (!known.has(name)) say(`reads ${name}, which data and properties don't have`)
    const root = properties.t || !data.t ? null : data.t
    for (const path of root ? paths(expression, 't') : []) {
      if (path.reduce((at, key) => at?.[key], root) === undefined) say(`reads t.${path.join('.')}, a text that is not there`)
    }
  }
}

/** Whoever can't see the screen must be told what can be touched and what is shown. */
function checkHeard(tag, say) {
  const hidden = [tag, ...tag.ancestors].some((one) => attribute(one, 'aria-hidden') === 'true')
  const named = Boolean(attribute(tag, 'aria-label')) || hasText(tag)
  const touched = tag.attributes.some(({ name }) => /^(bind|catch):?(tap|longpress)$/.test(name))
  if (hidden) return
  if (tag.tag === 'image' && attribute(tag, 'aria-label') === undefined) say('has no aria-label (aria-hidden="true" where it only adorns)')
  if (tag.tag === 'input' && !attribute(tag, 'aria-label')) say('has no aria-label')
  if (tag.tag === 'button' && !named) say('has neither text nor aria-label')
  if (tag.tag === 'view' && touched && (!attribute(tag, 'aria-role') || !named)) say('can be tapped, but has no aria-role or no name')
}

const hasText = (tag) => Boolean(tag.text) || tag.children.some(hasText)

/** App(), Page(), Component(): from what the mini-program registers to glass-easel components. */

import * as adapter from 'glass-easel-miniprogram-adapter'
import * as glassEasel from 'glass-easel'
import { defineBuiltins } from './components/index.js'
import { plain } from './events.js'
import { moduleLoader } from './modules.js'
import { createBackend } from './render.js'
import { complain } from './world.js'

const client = window.__client
const MOST_DATA = 2 ** 20

const backend = createBackend()
// `false`: noted, and not for the console as well.
glassEasel.addGlobalWarningListener((message) => {
  complain(message)
  return false
})
glassEasel.addGlobalErrorListener((error) => {
  complain(error?.stack ?? error)
  return false
})
checkSetData()

/**
 * One launch of the mini-program: its modules loaded anew, its pages ready to be made.
 * @param {{ wx: object, getCurrentPages: () => any[], config: Record<string, object> }} options
 */
export function createLogic({ wx, getCurrentPages, config }) {
  const env = new adapter.MiniProgramEnv()
  const global = env.getGlobalCodeSpace()
  const space = env.createCodeSpace('', true)
  defineBuiltins(global, space)
  const associated = env.associateBackend(backend)
  space.addStyleSheet('app', 'app')
  for (const [name, { json, isPage, using }] of Object.entries(client.units)) {
    const absolute = Object.fromEntries(Object.entries(using).map(([tag, path]) => [tag, `/${path}`]))
    space.addComponentStaticConfig(name, { ...json, component: !isPage || json.component, usingComponents: absolute })
    space.addCompiledTemplate(name, { groupList: client.templates, content: client.templates[name] })
    space.addStyleSheet(name, name, client.scopes[name])
  }

  let app
  let current = null
  const globals = {
    wx,
    getCurrentPages,
    getApp: () => app,
    App: (definition) => {
      app = definition
    },
    Page: (definition) => inEnv(({ Page }) => Page(withPlainEvents(definition))),
    Component: (definition) => inEnv(({ Component }) => Component({ ...definition, methods: withPlainEvents(definition.methods) })),
  }
  const inEnv = (register) => {
    const { name, env: given } = current
    current.registered = true
    if (!given) throw new Error(`${name}: Page() or Component() called outside a page's or component's file`)
    return register(given)
  }
  const load = moduleLoader(globals, config)
  const defined = new Set()
  const define = (name) => {
    if (defined.has(name)) return
    defined.add(name)
    Object.values(client.units[name].using).forEach(define)
    space.componentEnv(name, (given) => {
      current = { name, env: given, registered: false }
      load(`${name}.js`)
      if (!current.registered) throw new Error(`${name}.js registers neither a page nor a component`)
    })
  }
  current = { name: 'app.js', env: null }
  load('app.js')
  return {
    app: () => app ?? {},
    createRoot(name) {
      define(name)
      return associated.createRoot('page', space, name)
    },
  }
}

/** Call what a page or the app may define; what it throws is a failure of the test. */
export function call(owner, name, ...values) {
  try {
    return owner?.[name]?.(...values)
  } catch (error) {
    complain(error?.stack ?? error)
  }
}

function withPlainEvents(methods = {}) {
  const wrap = (method) =>
    function (first, ...rest) {
      return method.call(this, first instanceof glassEasel.Event ? plain(first) : first, ...rest)
    }
  return Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, typeof value === 'function' ? wrap(value) : value]))
}

/** WeChat warns of these or drops them silently; a test shall not pass with them. */
function checkSetData() {
  const prototype = adapter.component.ComponentCaller.prototype
  const { setData } = prototype
  prototype.setData = function (data, callback) {
    if (!this.is.startsWith('wx/')) requirePlain(this, data)
    return setData.call(this, data, callback)
  }
}

function requirePlain(component, data) {
  for (const [path, value] of Object.entries(data)) {
    const [head] = path.split(/[.[]/)
    if (!Object.hasOwn(component.data, head)) complain(`${component.is}: setData of "${path}", which data and properties don't declare`)
    const wrong = unfit(value)
    if (wrong) complain(`${component.is}: setData of "${path}" with ${wrong}`)
  }
  if (JSON.stringify(data)?.length > MOST_DATA) complain(`${component.is}: setData with more than 1 MB`)
}

function unfit(value) {
  if (value === undefined) return 'undefined'
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return ''
  return Object.values(value).filter((inner) => inner !== undefined).map(unfit).find(Boolean) ?? ''
}

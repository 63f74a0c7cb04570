/**
 * The built-in components, defined as glass-easel components. What one does beyond holding its
 * children is in a file of its own, as a function of its `part`: the element, its properties, and a
 * way to send events.
 */

import { ARIA_PROPERTIES, BUILTINS, kebab } from '../../builtins.mjs'
import { dispatch } from '../events.js'
import { button } from './button.js'
import { camera } from './camera.js'
import { image } from './image.js'
import { input } from './input.js'
import { label, radio, radioGroup } from './radio.js'

/** @typedef {{ element: HTMLElement, id: () => string, data: any, set: (data: object) => void, emit: (type: string, detail?: object) => void }} Part */
/** @typedef {{ changed?: (data: any) => void, tap?: () => void, gone?: () => void }} Behaviour */
/** @type {Record<string, (part: Part) => Behaviour>} */
const behaviours = { button, camera, image, input, label, radio, 'radio-group': radioGroup }

export function defineBuiltins(global, space) {
  for (const [tag, spec] of Object.entries(BUILTINS)) {
    const path = `wx/${tag}`
    global.addComponentStaticConfig(path, { component: true, styleIsolation: 'shared' })
    global.component(path).definition(definition(tag, spec)).register()
    space.getComponentSpace().setGlobalUsingComponent(tag, global.getComponentSpace().getComponentByUrl(path, ''))
  }
}

function definition(tag, { properties, reflected, role }) {
  const update = function () {
    if (!this.behaviour || !this._$.$$) return // not there yet, or its page is closed
    reflect(this._$.$$, this.data, reflected, role)
    this.behaviour.changed?.(this.data)
  }
  return {
    properties,
    observers: { '**': update },
    lifetimes: {
      attached() {
        this.behaviour = behaviours[tag]?.(partOf(this)) ?? {}
        this._$.addListener('tap', () => this.behaviour.tap?.())
        update.call(this)
      },
      detached() {
        this.behaviour.gone?.()
      },
    },
  }
}

/** @returns {Part} */
function partOf(component) {
  return {
    element: component._$.$$,
    id: () => component._$.id,
    get data() {
      return component.data
    },
    set: (data) => component.setData(data),
    emit: (type, detail = {}) => void dispatch(component._$, type, detail, {}),
  }
}

/** What screen readers and stylesheets see of a component. */
function reflect(element, data, reflected, role) {
  const set = (name, value) => {
    if (value === '' || value === null || value === undefined || value === false) element.removeAttribute(name)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const name of reflected) set(kebab(name), data[name])
  for (const name of ARIA_PROPERTIES) set(kebab(name), data[name] === true ? 'true' : data[name])
  element.removeAttribute('aria-role')
  set('role', data.ariaRole || (role === 'img' && !data.ariaLabel ? '' : role))
  set('hidden', data.hidden)
  if (data.disabled) set('aria-disabled', 'true')
  if (role === 'radio') set('aria-checked', String(data.checked))
}

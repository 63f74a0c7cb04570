/**
 * The built-in components that the mini-program uses: their properties and events, as WeChat
 * documents them. The lint refuses any other name, and the runtime defines exactly these, so that
 * nothing works here by luck. A new one is added here and, if it does more than hold its children,
 * in runtime/components/.
 */

const ARIA = `role label live atomic busy checked controls current describedby labelledby disabled
  expanded haspopup hidden invalid level modal multiline multiselectable orientation posinset pressed
  readonly relevant required selected setsize sort valuemax valuemin valuenow valuetext`
const TOUCHES = ['tap', 'longpress', 'touchstart', 'touchmove', 'touchend', 'touchcancel']
const HOVER = { hoverClass: String, hoverStopPropagation: Boolean, hoverStartTime: Number, hoverStayTime: Number }

/** An attribute's name as the property that it sets: `device-position` to `devicePosition`. */
export const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
export const kebab = (name) => name.replace(/[A-Z]/g, (letter) => '-' + letter.toLowerCase())

export const ARIA_PROPERTIES = ARIA.split(/\s+/).map((name) => camel('aria-' + name))

/** `properties` by type (null: any), `events` besides touches, `role` for screen readers. */
const own = {
  view: { properties: HOVER },
  text: { properties: { selectable: Boolean, userSelect: Boolean, space: String, decode: Boolean } },
  image: {
    properties: { src: String, mode: String, lazyLoad: Boolean, webp: Boolean, fadeIn: Boolean, showMenuByLongpress: Boolean },
    events: ['load', 'error'],
    role: 'img',
  },
  button: {
    properties: { ...HOVER, disabled: Boolean, type: String, size: String, plain: Boolean, loading: Boolean, openType: String, formType: String },
    events: ['opensetting', 'agreeprivacyauthorization'],
    reflected: ['disabled', 'type', 'size', 'plain', 'loading'],
    role: 'button',
  },
  camera: {
    properties: { mode: String, resolution: String, devicePosition: String, flash: String, frameSize: String },
    events: ['stop', 'error', 'initdone', 'scancode'],
  },
  input: {
    properties: {
      value: String, type: String, password: Boolean, placeholder: String, placeholderStyle: String, placeholderClass: String, disabled: Boolean,
      maxlength: null, cursorSpacing: null, focus: Boolean, confirmType: String, confirmHold: Boolean, adjustPosition: Boolean, holdKeyboard: Boolean,
    },
    events: ['input', 'focus', 'blur', 'confirm', 'keyboardheightchange'],
    reflected: ['disabled'],
  },
  'radio-group': { properties: { name: String }, events: ['change'], role: 'radiogroup' },
  radio: { properties: { value: String, checked: Boolean, disabled: Boolean, color: String }, reflected: ['checked', 'disabled'], role: 'radio' },
  label: { properties: { for: String } },
}

const always = { hidden: Boolean, ...Object.fromEntries(ARIA_PROPERTIES.map((name) => [name, null])) }

/** @type {Record<string, { properties: Record<string, any>, events: string[], reflected: string[], role?: string }>} */
export const BUILTINS = Object.fromEntries(
  Object.entries(own).map(([tag, { properties, events = [], reflected = [], role }]) => [
    tag,
    { properties: { ...always, ...properties }, events: [...TOUCHES, ...events], reflected, role },
  ]),
)

/** Tags that are no components: they steer the template. */
export const FLOW = new Set(['block', 'slot'])

/** Touches and taps: from Chromium's touch events to the plain objects that WeChat hands to handlers. */

import * as glassEasel from 'glass-easel'

const LONG_PRESS_MS = 350
const MOVE_PX = 10

/** @param {any} context glass-easel's DOM backend; it makes taps of touches */
export function connect(context) {
  // Of Chromium's own events only touches go to handlers; all others are sent by the built-in components.
  const listen = context.setListenerStats.bind(context)
  context.setListenerStats = (element, type, ...rest) => {
    if (type.startsWith('touch')) listen(element, type, ...rest)
  }
  const wasLong = watchLongPresses()
  // A touch on a page is over with its end: the click that Chromium makes of it would land on whatever
  // the tap has just opened, such as a dialog's button. An input needs it to get the keyboard.
  document.addEventListener('touchend', (event) => {
    if (event.target.closest('page') && !event.target.closest('wx-input')) event.preventDefault()
  })
  context.onEvent((target, type, detail, { originalEvent }) => {
    if (type === 'tap' && (wasLong() || isDisabled(originalEvent))) return 0
    return dispatch(target, type, detail, { bubbles: true, composed: true, capturePhase: true, originalEvent })
  })
}

/** Send an event through the mini-program's tree of components. */
export function dispatch(target, type, detail, options) {
  const event = new glassEasel.Event(type, detail, options)
  glassEasel.Event.dispatchEvent(target, event)
  return event.getEventBubbleStatus()
}

/** What WeChat hands a handler: plain data, no nodes. */
export function plain(event) {
  if (event.type === 'longpress') heard = true
  const { type, timeStamp, mark, detail = {} } = event
  const touch = event.getOriginalEvent()
  return {
    type,
    timeStamp,
    mark: { ...mark },
    detail,
    target: node(event.target),
    currentTarget: node(event.currentTarget),
    ...(touch?.touches ? { touches: [...touch.touches].map(point), changedTouches: [...touch.changedTouches].map(point) } : {}),
  }
}

const node = ({ id, dataset }) => ({ id, dataset: JSON.parse(JSON.stringify(dataset ?? {})) })
const point = ({ identifier, clientX, clientY, pageX, pageY }) => ({ identifier, clientX, clientY, pageX, pageY, force: 1 })

/** A disabled button is dead to touches; Chromium knows nothing of it. */
const isDisabled = (event) => Boolean(event.target.closest('wx-button[disabled]'))

/** Whether a handler was there for the last long press. */
let heard = false

/** A press of 350 ms; if anyone listens for it, no tap follows. @returns {() => boolean} whether that was so */
function watchLongPresses() {
  let timer = 0
  let from = { clientX: 0, clientY: 0 }
  const fire = (event) => {
    const target = componentAt(event.target)
    if (target && !isDisabled(event)) {
      dispatch(target, 'longpress', { x: from.clientX, y: from.clientY }, { bubbles: true, composed: true, capturePhase: true, originalEvent: event })
    }
  }
  const on = (type, listener) => document.addEventListener(type, listener, true)
  on('touchstart', (event) => {
    heard = false
    from = event.touches[0]
    clearTimeout(timer)
    timer = setTimeout(fire, LONG_PRESS_MS, event)
  })
  on('touchmove', ({ touches: [to] }) => {
    if (Math.hypot(to.clientX - from.clientX, to.clientY - from.clientY) > MOVE_PX) clearTimeout(timer)
  })
  on('touchend', () => clearTimeout(timer))
  on('touchcancel', () => clearTimeout(timer))
  return () => heard
}

function componentAt(element) {
  for (let at = element; at; at = at.parentNode) if (at.__wxElement) return at.__wxElement
  return null
}

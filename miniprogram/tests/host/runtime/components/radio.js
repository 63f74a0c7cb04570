/** <radio-group>, <radio>, and <label>, by which a radio is chosen as well. */

/** @param {import('./index.js').Part} part */
export function radio(part) {
  const choose = () => {
    if (part.data.disabled || part.data.checked) return
    const group = part.element.closest('wx-radio-group')
    group?.querySelectorAll('wx-radio').forEach((other) => other.dispatchEvent(new CustomEvent('host-uncheck')))
    part.set({ checked: true })
    group?.dispatchEvent(new CustomEvent('host-chosen', { detail: part.data.value }))
  }
  part.element.addEventListener('host-uncheck', () => part.set({ checked: false }))
  part.element.addEventListener('host-choose', choose)
  return { tap: choose, changed: ({ color }) => part.element.style.setProperty('--host-colour', color || '#07c160') }
}

/** @param {import('./index.js').Part} part */
export function radioGroup(part) {
  part.element.addEventListener('host-chosen', ({ detail }) => part.emit('change', { value: detail }))
  return {}
}

/** @param {import('./index.js').Part} part */
export function label(part) {
  return { tap: () => part.element.querySelector('wx-radio')?.dispatchEvent(new CustomEvent('host-choose')) }
}

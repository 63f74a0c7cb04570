/** <input> */

const MOST_LETTERS = 140

/** @param {import('./index.js').Part} part */
export function input(part) {
  const element = document.createElement('input')
  part.element.append(element)
  element.addEventListener('input', () => {
    part.set({ value: element.value })
    part.emit('input', { value: element.value, cursor: element.selectionStart, keyCode: 0 })
  })
  element.addEventListener('focus', () => part.emit('focus', { value: element.value, height: 300 }))
  element.addEventListener('blur', () => part.emit('blur', { value: element.value }))
  element.addEventListener('keydown', ({ key }) => {
    if (key === 'Enter') part.emit('confirm', { value: element.value })
  })
  return {
    changed: ({ value, placeholder, disabled, maxlength, ariaLabel }) => {
      if (element.value !== value) element.value = value
      Object.assign(element, { placeholder, disabled, maxLength: maxlength ?? MOST_LETTERS, ariaLabel })
      part.element.removeAttribute('aria-label')
    },
  }
}

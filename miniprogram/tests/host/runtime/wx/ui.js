/** Pages, toasts, dialogs. */

import { asynchronous, Refused } from '../calls.js'
import * as dialogs from '../dialogs.js'
import { navigateTo, top } from '../router.js'

const MOST_BUTTON = 4

export const ui = {
  navigateTo: asynchronous('navigateTo', navigateTo),
  setNavigationBarTitle: asynchronous('setNavigationBarTitle', ({ title }) => top().screen.entitle(title)),
  showToast: asynchronous('showToast', (options) => dialogs.showToast(options)),
  showLoading: asynchronous('showLoading', (options) => dialogs.showToast({ ...options, icon: 'loading', duration: Infinity })),
  hideLoading: asynchronous('hideLoading', () => dialogs.hideLoading()),
  showModal: asynchronous('showModal', (options) => {
    for (const name of ['confirmText', 'cancelText']) {
      if (options[name]?.length > MOST_BUTTON) throw new Refused(`parameter error: ${name} has more than ${MOST_BUTTON} characters`)
    }
    if (!options.title && !options.content) throw new Refused('parameter error: title or content is needed')
    return dialogs.showModal(options)
  }),
}

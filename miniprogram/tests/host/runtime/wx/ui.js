/** Pages, toasts, dialogs. */

import { asynchronous, Refused } from '../calls.js'
import * as dialogs from '../dialogs.js'
import { routes, top } from '../router.js'

export const ui = {
  navigateTo: asynchronous('navigateTo', routes.navigateTo),
  navigateBack: asynchronous('navigateBack', routes.navigateBack),
  reLaunch: asynchronous('reLaunch', routes.reLaunch),
  setNavigationBarTitle: asynchronous('setNavigationBarTitle', ({ title }) => top().screen.entitle(title)),
  showToast: asynchronous('showToast', (options) => dialogs.showToast(options)),
  showLoading: asynchronous('showLoading', (options) => dialogs.showToast({ ...options, icon: 'loading', duration: Infinity })),
  hideLoading: asynchronous('hideLoading', () => dialogs.hideLoading()),
  showModal: asynchronous('showModal', (options) => {
    if (!options.title && !options.content) throw new Refused('parameter error: title or content is needed')
    return dialogs.showModal(options)
  }),
}

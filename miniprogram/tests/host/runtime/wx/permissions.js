/** Permissions and privacy. */

import { asynchronous } from '../calls.js'
import { phoneSheet } from '../dialogs.js'
import { asked, onNeedPrivacyAuthorization, requirePermission, requirePrivacy } from '../permission.js'
import { hideTop, showTop } from '../router.js'
import { world } from '../world.js'

export const permissions = {
  getSetting: asynchronous('getSetting', () => ({ authSetting: asked() })),
  authorize: asynchronous('authorize', async ({ scope }) => {
    await requirePrivacy('authorize')
    await requirePermission(scope)
  }),
  getAppAuthorizeSetting: () => ({
    cameraAuthorized: world.phone.camera,
    ...(world.platform === 'ios' ? { albumAuthorized: world.phone.album } : {}),
  }),
  /** The phone's settings are another app: the page is hidden meanwhile. */
  openAppAuthorizeSetting: asynchronous('openAppAuthorizeSetting', async () => {
    hideTop()
    await phoneSheet()
    showTop()
  }),
  onNeedPrivacyAuthorization,
  openPrivacyContract: asynchronous('openPrivacyContract', () => {
    world.privacy.read = true
  }),
}

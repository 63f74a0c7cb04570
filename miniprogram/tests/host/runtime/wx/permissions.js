/** Permissions and privacy. */

import { asynchronous } from '../calls.js'
import { asked, onNeedPrivacyAuthorization, requirePermission, requirePrivacy } from '../permission.js'
import { world } from '../world.js'

export const permissions = {
  getSetting: asynchronous('getSetting', () => ({ authSetting: asked() })),
  authorize: asynchronous('authorize', async ({ scope }) => {
    await requirePrivacy('authorize')
    await requirePermission(scope)
  }),
  onNeedPrivacyAuthorization,
  openPrivacyContract: asynchronous('openPrivacyContract', () => {
    world.privacy.read = true
  }),
}

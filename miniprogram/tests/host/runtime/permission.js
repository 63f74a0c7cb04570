/** What a call needs before it may do its work: agreement to the privacy guide, and a permission. */

import { Refused } from './calls.js'
import { askPermission } from './dialogs.js'
import { complain, world } from './world.js'

/** @type {null | ((resolve: (answer: { event: string, buttonId?: string }) => void, info: { referrer: string }) => void)} */
let listener = null
/** Ids of agreePrivacyAuthorization buttons that the person tapped. */
const tapped = new Set()
let asking = null

/** The last listener wins, as in WeChat. */
export function onNeedPrivacyAuthorization(given) {
  listener = given
}

export function agreeByButton(id) {
  tapped.add(id)
  world.privacy.needed = false
}

/** Wait until the person agrees to the privacy guide. @param {string} api whose call needs it */
export async function requirePrivacy(api) {
  if (world.privacy.undeclared) throw new Refused('api scope is not declared in the privacy agreement', 112)
  if (!world.privacy.needed) return
  asking ??= ask(api).finally(() => {
    asking = null
  })
  if (!(await asking)) throw new Refused('privacy permission is not authorized', 104)
}

async function ask(api) {
  if (!listener) complain(`${api} needs agreement to the privacy guide, and nobody asks for it`)
  const { event, buttonId } = await new Promise((resolve) => {
    listener?.((answer) => answer.event !== 'exposureAuthorization' && resolve(answer), { referrer: api })
  })
  if (event === 'agree' && !tapped.has(buttonId)) complain(`privacy: agreed by the button "${buttonId}", which nobody tapped`)
  return event === 'agree'
}

/** Wait until the person allows it; refused once is refused until openSetting. */
export async function requirePermission(scope) {
  if (world.permissions[scope] === undefined) world.permissions[scope] = await askPermission(scope)
  if (!world.permissions[scope]) throw new Refused('auth deny')
  if (world.phone[PARTS[scope]] === 'denied') throw new Refused('system permission denied')
}

/** What of the phone a permission is for. */
const PARTS = { 'scope.camera': 'camera', 'scope.writePhotosAlbum': 'album' }

/** What wx.getSetting tells: permissions that were asked for, and the answer. */
export const asked = () => Object.fromEntries(Object.entries(world.permissions).filter(([, allowed]) => allowed !== undefined))

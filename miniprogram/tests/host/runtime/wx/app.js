/** What WeChat says of itself, the phone and this mini-program. */

import { asynchronous } from '../calls.js'
import { theme } from '../bars.js'
import { USER } from '../files.js'
import { world } from '../world.js'

const NORMAL_PX = 17

export const app = {
  env: { USER_DATA_PATH: USER },
  getAccountInfoSync: () => ({ miniProgram: { appId: 'touristappid', envVersion: world.envVersion, version: '' }, plugin: { appId: '', version: '' } }),
  getAppBaseInfo: () => ({
    SDKVersion: '3.7.0',
    version: '8.0.50',
    language: world.language,
    enableDebug: !world.network.urlCheck,
    fontSizeSetting: NORMAL_PX * world.fontScale,
    fontSizeScaleFactor: world.fontScale,
    host: { appId: '', env: 'WeChat' },
    ...(window.__client.appJson.darkmode ? { theme: theme() } : {}),
  }),
  getNetworkType: asynchronous('getNetworkType', () => ({ networkType: navigator.onLine ? 'wifi' : 'none' })),
  vibrateShort: asynchronous('vibrateShort', () => ({})),
  setClipboardData: asynchronous('setClipboardData', ({ data }) => {
    world.clipboard = String(data)
  }),
}

/** Boots the mini-program in Chromium, and gives the test its hold on the world around it. */

import { complain, world } from './world.js'
import { onThemeChange } from './bars.js'
import { createLogic, call } from './logic.js'
import * as router from './router.js'
import * as files from './files.js'
import { functions, wx } from './wx/index.js'
import { cameraReady, resumeCamera, stopCamera } from './components/camera.js'
import { interruptTasks } from './wx/network.js'
import { hideToast } from './dialogs.js'

addEventListener('error', ({ error, message }) => complain(error?.stack ?? message))
addEventListener('unhandledrejection', (event) => {
  event.preventDefault()
  complain(`unhandled rejection: ${event.reason?.stack ?? event.reason?.errMsg ?? event.reason}`)
})
onThemeChange(router.redraw)

const { path, config } = window.__given
const LAUNCH = { path, query: {}, scene: 1001, referrerInfo: {} }
let logic = null

async function launch() {
  logic = createLogic({ wx, getCurrentPages: router.getCurrentPages, config })
  call(logic.app(), 'onLaunch', LAUNCH)
  call(logic.app(), 'onShow', LAUNCH)
  await router.start(logic, `/${path}`)
}

window.__mini = {
  world,
  files: { saved: files.saved, bytes: (file) => [...files.bytesOf(file)], limits: files.limits },
  functions: Object.keys(functions),
  cameraReady,
  /** The person leaves for another app; WeChat breaks off what is on its way after five seconds. */
  background({ interrupted = false, cameraStopsFirst = true } = {}) {
    if (cameraStopsFirst) stopCamera()
    router.hideTop()
    call(logic.app(), 'onHide')
    if (!cameraStopsFirst) stopCamera()
    if (interrupted) interruptTasks()
  },
  foreground() {
    call(logic.app(), 'onShow', LAUNCH)
    router.showTop()
    resumeCamera()
  },
  /** As from a link into the mini-program. */
  open: (url) => router.reLaunch({ url }),
  /** Closed and opened again: storage and saved files stay, temporary files go. */
  async relaunch() {
    hideToast()
    files.dropTemporary()
    await launch()
  },
  pages: () => router.getCurrentPages().map(({ route }) => route),
}

launch().then(
  () => {
    window.__ready = true
  },
  (error) => complain(error?.stack ?? error),
)

/**
 * Who says no: the person to this mini-program, which WeChat's own settings change, or the phone to
 * WeChat itself, which only the phone's settings change.
 */

/** @typedef {'yes' | 'refused' | 'off'} Permission `off`: by the phone */

const SCOPES = /** @type {const} */ ({ camera: 'scope.camera', album: 'scope.writePhotosAlbum' })

/**
 * @param {keyof typeof SCOPES} what
 * @returns {Promise<Permission>} `yes` also where nobody was asked yet
 */
function permission(what) {
  return new Promise((resolve) => {
    wx.getSetting({
      success: ({ authSetting }) => {
        if (authSetting[SCOPES[what]] === false) resolve('refused')
        else resolve(isOff(what) ? 'off' : 'yes')
      },
      fail: () => resolve(isOff(what) ? 'off' : 'yes'),
    })
  })
}

/** @param {keyof typeof SCOPES} what */
function isOff(what) {
  const { cameraAuthorized, albumAuthorized } = wx.getAppAuthorizeSetting() // of the album only iPhones say
  return (what === 'camera' ? cameraAuthorized : albumAuthorized) === 'denied'
}

/** To the phone's settings of WeChat; the page is shown again when the person is back. */
function openPhoneSettings() {
  wx.openAppAuthorizeSetting({ fail: () => {} })
}

module.exports = { permission, openPhoneSettings }

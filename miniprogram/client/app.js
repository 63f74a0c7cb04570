const cloud = require('./services/cloud.js')
const privacy = require('./services/privacy.js')

App({
  onLaunch() {
    cloud.start()
    privacy.listen()
  },
})

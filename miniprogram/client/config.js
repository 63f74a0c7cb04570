/**
 * All that a new owner changes. Tests and pages read it through services/server.js.
 */
module.exports = {
  /** Address of the service for each version of the mini-program; no slash at the end. */
  servers: {
    develop: 'http://127.0.0.1:5000',
    trial: 'https://shiwu.example.com',
    release: 'https://shiwu.example.com',
  },

  /**
   * 微信云托管: `{ env: 'prod-1a2b3c', service: 'shiwu' }` sends photos through
   * wx.cloud.callContainer, which needs no domain list. Null: plain HTTPS to the address above.
   * @type {{ env: string, service: string } | null}
   */
  cloud: null,

  /** Photos are reduced to this longest side before they are sent, in pixels. */
  longestSide: 1280,

  /** How long to wait for an answer. WeChat itself gives up after 60 s. */
  timeoutMs: 30000,

  /** How many photos the history keeps. */
  historySize: 30,

  /** "Not sure" below this probability, where the service itself doesn't say how sure it is. */
  sureFrom: 0.4,
}

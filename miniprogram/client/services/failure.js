/**
 * Everything that can go wrong, as one kind of error with a code. i18n holds a sentence for each
 * code; ACTIONS holds what helps, the best first.
 */

/** @typedef {'retry' | 'album' | 'openSetting' | 'phoneSettings' | 'server' | 'live' | 'agree'} Action */

/** @type {Record<string, Action[]>} */
const ACTIONS = {
  cameraRefused: ['openSetting', 'album'],
  cameraOff: ['phoneSettings', 'album'],
  cameraAbsent: ['album', 'live'],
  takeFailed: ['live', 'album'],
  albumRefused: ['openSetting'],
  albumOff: ['phoneSettings'],
  saveFailed: ['retry'],
  expired: ['retry'],
  privacy: ['agree'],
  undeclared: ['live'],
  offline: ['retry'],
  timeout: ['retry'],
  cancelled: ['retry', 'live'],
  interrupted: ['retry'],
  unknownHost: ['server', 'retry'],
  unreachable: ['retry', 'server'],
  domain: ['server'],
  certificate: ['server', 'retry'],
  busy: ['retry'],
  tooLarge: ['album', 'live'],
  notPicture: ['album', 'live'],
  broken: ['album', 'live'],
  denied: ['server'],
  gone: ['server'],
  refused: ['retry', 'live'],
  server: ['retry'],
  notJson: ['server', 'retry'],
  cutOff: ['retry'],
  unreadable: ['live', 'album'],
  unexpected: ['live', 'album'],
}

class Failure extends Error {
  /**
   * @param {string} code a key of ACTIONS
   * @param {Record<string, string | number>} [values] for the places in its sentence
   */
  constructor(code, values = {}) {
    super(code)
    this.code = code
    this.values = values
  }

  get actions() {
    return ACTIONS[this.code]
  }
}

/** What WeChat says, and what it means; the first that matches. */
const MEANINGS = [
  { says: /:fail:? ?abort(ed)?$/i, code: 'cancelled' },
  { says: /interrupted/i, code: 'interrupted' },
  { says: /timed?[ _-]?out|超时/i, code: 'timeout' },
  { says: /domain list|600002/i, code: 'domain' },
  { says: /scope is not declared|errno:? ?112\b/i, code: 'undeclared' },
  { says: /privacy|errno:? ?104\b/i, code: 'privacy' },
  { says: /\bssl\b|certificate|ERR_CERT|证书|安全连接/i, code: 'certificate' },
  { says: /NAME_NOT_RESOLVED|resolve host|getaddrinfo|unknown ?host|hostname could not be found|主机名|-105\b/i, code: 'unknownHost' },
  { says: /INTERNET_DISCONNECTED|network is down|not connected|appears to be offline|断开与互联网|-106\b/i, code: 'offline' },
  { says: /TOO_MANY_REDIRECTS|INVALID_HTTP_RESPONSE|RESPONSE_HEADERS_TOO_BIG|-310\b|-370\b|-325\b/, code: 'notJson' },
  { says: /CONTENT_LENGTH_MISMATCH|INCOMPLETE_CHUNKED_ENCODING|-354\b|-355\b/, code: 'cutOff' },
  { says: /no such file|file not (found|exist)|ENOENT/i, code: 'unreadable' },
]

/**
 * The failure behind the errMsg of a network call that got no answer.
 * @param {string} errMsg
 * @param {string} host
 */
function ofNetwork(errMsg, host) {
  const meaning = MEANINGS.find(({ says }) => says.test(errMsg))
  return new Failure(meaning ? meaning.code : 'unreachable', { host })
}

/** @type {Record<number, string>} */
const STATUSES = {
  401: 'denied',
  403: 'denied',
  404: 'gone',
  405: 'gone',
  413: 'tooLarge',
  415: 'notPicture',
  422: 'broken',
  429: 'busy',
  503: 'busy',
  504: 'timeout',
}

/**
 * The failure behind an answer that is no success.
 * @param {number} status
 * @param {string} [detail] the service's own sentence
 */
function ofStatus(status, detail = '') {
  const code = STATUSES[status] || (status >= 500 ? 'server' : 'refused')
  return new Failure(code, { status, detail })
}

module.exports = { Failure, ofNetwork, ofStatus }

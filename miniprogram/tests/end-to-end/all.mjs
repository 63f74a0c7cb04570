/** All end-to-end tests in one process: one Chromium, one service. Each file also runs by itself. */

import './host.test.mjs'
import './recognising.test.mjs'
import './failures.test.mjs'
import './manners.test.mjs'
import './saving.test.mjs'
import './history.test.mjs'
import './settings.test.mjs'
import './looks.test.mjs'
import './tutorial.test.mjs'

/** The service that the end-to-end tests ask: one for all of them, or for a file that runs alone. */

import { startService } from '../host/servers/service.mjs'

/** Above what the phone makes of a photo, and below what it can't make small. */
const MOST_BYTES = 400_000

export const startShared = () => startService({ max_bytes: MOST_BYTES })

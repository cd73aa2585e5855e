import { defaults } from './defaults.ts'
import { count, duration, section, size } from './fields.ts'
import { bytes, ms, plain } from './schema-words.ts'

const maxCount = 1_000_000
// What a window can hold (RFC 9113 §6.9.1).
const maxWindow = 2 ** 31 - 1
const minWindow = 1024
// The heads of answers wait there as well.
const minUnsentControl = 16 * 1024
const maxUnsentControl = 1024 ** 3

const { http2: http2Defaults } = defaults.listener

/** One bound of what a client may cost without work to show for it; beyond it the connection ends. */
const flood = (what: string, bound: number) =>
  count(1, maxCount)
    .optional()
    .describe(
      `${what}, in a second and on one connection; beyond it the connection ends with ENHANCE_YOUR_CALM. ${plain(bound)}`,
    )

/** How a listener speaks HTTP/2. */
export const http2 = section({
  maxStreams: count(1, maxCount)
    .optional()
    .describe(`Streams that a client may have open at once on one connection. ${plain(http2Defaults.maxStreams)}`),
  window: size({ min: minWindow, max: maxWindow })
    .optional()
    .describe(`What a client may send on a new stream before it is given more. ${bytes(http2Defaults.windowBytes)}`),
  maxWindow: size({ min: minWindow, max: maxWindow })
    .optional()
    .describe(
      `What the window of a stream may grow to while the upstream keeps up. ${bytes(http2Defaults.maxWindowBytes)}`,
    ),
  maxResets: flood('Streams that a client may reset before they are answered', http2Defaults.maxResets),
  maxPings: flood('PING frames of a client', http2Defaults.maxPings),
  maxSettings: flood('SETTINGS frames of a client', http2Defaults.maxSettings),
  maxEmptyFrames: flood('Frames of a client that carry nothing', http2Defaults.maxEmptyFrames),
  maxPriorities: flood('PRIORITY frames of a client, and frames of unknown types', http2Defaults.maxPriorities),
  maxWindowUpdates: flood('WINDOW_UPDATE frames of a client', http2Defaults.maxWindowUpdates),
  maxUnsentControl: size({ min: minUnsentControl, max: maxUnsentControl })
    .optional()
    .describe(
      `What may wait, of all that is no data, for a client that does not read; beyond it the connection ends. ${bytes(http2Defaults.maxUnsentControlBytes)}`,
    ),
  maxContinuations: count(1, maxCount)
    .optional()
    .describe(
      `CONTINUATION frames of one head; beyond it the connection ends with ENHANCE_YOUR_CALM. ${plain(http2Defaults.maxContinuations)}`,
    ),
  maxAge: duration({ min: 1000 })
    .optional()
    .describe(
      `The age from which a connection is asked to end (GOAWAY); what runs on it is finished. ${ms(http2Defaults.maxAgeMs)}`,
    ),
  ping: duration({ min: 1000 })
    .optional()
    .describe(
      `A PING after so long without a frame while streams are open; a client that does not answer it is gone. ${ms(http2Defaults.pingMs)}`,
    ),
})

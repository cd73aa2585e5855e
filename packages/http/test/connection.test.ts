import { describeConnection, frame, h2, type MultiplexedPeer, word } from '../../testkit/src/index.ts'
import { http1Connector, http2Connector } from '../src/connection.ts'

describeConnection('Http1Connection', http1Connector)

const maxConcurrentStreams = 3

const settings = (exchanges: number) =>
  frame(h2.settings, { payload: Buffer.concat([Buffer.from([0, maxConcurrentStreams]), word(exchanges)]) })

const peer: MultiplexedPeer = {
  greet: (connection, exchanges) => void connection.write(settings(exchanges)),
  allow: (connection, exchanges) => void connection.write(settings(exchanges)),
  goAway: (connection) =>
    void connection.write(frame(h2.goaway, { payload: Buffer.concat([word(0x7fff_ffff), word(0)]) })),
}

describeConnection('Http2Connection', http2Connector, peer)

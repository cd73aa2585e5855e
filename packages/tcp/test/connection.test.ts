import { describeConnection } from '../../testkit/src/index.ts'
import { tcpConnector } from '../src/connection.ts'

describeConnection('TcpConnection', tcpConnector)

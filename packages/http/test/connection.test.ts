import { describeConnection } from '../../testkit/src/index.ts'
import { http1Connector } from '../src/connection.ts'

describeConnection('Http1Connection', http1Connector)

import { expect } from 'chai'
import { encodeCloseFrame } from '../../src/websocket/close-frame.ts'
import { FrameFollower } from '../../src/websocket/frame-follower.ts'

/** A frame with a payload of zeros. */
function frame(first: number, length: number, masked = false): Buffer {
  const bit = masked ? 0x80 : 0
  const head =
    length < 126
      ? Buffer.of(first, bit | length)
      : length < 65_536
        ? Buffer.of(first, bit | 126, length >> 8, length & 255)
        : Buffer.of(
            first,
            bit | 127,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          )
  return Buffer.concat([head, Buffer.alloc((masked ? 4 : 0) + length)])
}

describe('FrameFollower', () => {
  it('finds the boundaries of frames of every kind of length, split anywhere', () => {
    const frames = [frame(0x81, 0), frame(0x82, 5, true), frame(0x89, 125), frame(0x82, 126), frame(0x82, 300, true)]
    const octets = Buffer.concat(frames)
    const boundaries = new Set([0])
    let at = 0
    for (const one of frames) boundaries.add((at += one.length))
    for (let i = 0; i <= octets.length; i++) {
      const follower = new FrameFollower()
      follower.advance(octets, 0, i)
      expect(follower.atBoundary, `after ${i}`).to.equal(boundaries.has(i))
      follower.advance(octets, i, octets.length)
      expect([follower.atBoundary, follower.frames]).to.eql([true, frames.length])
    }
    const slow = new FrameFollower()
    for (let i = 0; i < octets.length; i++) {
      slow.advance(octets, i, i + 1)
      expect(slow.atBoundary).to.equal(boundaries.has(i + 1))
    }
  })

  it('follows 64-bit lengths', () => {
    const octets = frame(0x82, 70_000, true)
    const follower = new FrameFollower()
    follower.advance(octets, 0, octets.length - 1)
    expect(follower.atBoundary).to.equal(false)
    follower.advance(octets, octets.length - 1, octets.length)
    expect(follower.atBoundary).to.equal(true)
    follower.advance(Buffer.concat([Buffer.of(0x82, 0x7f), Buffer.alloc(8, 0xff), Buffer.alloc(1000)]), 0, 1010)
    expect(follower.atBoundary).to.equal(false)
  })

  it('names the first boundary of a run', () => {
    const follower = new FrameFollower()
    const octets = Buffer.concat([frame(0x81, 3), frame(0x81, 4), frame(0x81, 9)])
    follower.advance(octets, 0, 2)
    expect(follower.firstBoundary).to.equal(0)
    follower.advance(octets, 2, 4)
    expect(follower.firstBoundary).to.equal(-1)
    follower.advance(octets, 4, octets.length)
    expect(follower.firstBoundary).to.equal(5)
  })

  it('knows when a message is in pieces, with control frames between them', () => {
    const follower = new FrameFollower()
    const states = [frame(0x01, 1), frame(0x89, 1), frame(0x00, 1), frame(0x80, 1), frame(0x81, 1)].map((one) => {
      follower.advance(one, 0, one.length)
      return follower.insideMessage
    })
    expect(states).to.eql([true, true, true, false, false])
  })

  it('knows when a close frame has passed whole', () => {
    const follower = new FrameFollower()
    const close = encodeCloseFrame(1000, 'bye')
    follower.advance(close, 0, close.length - 1)
    expect(follower.closed).to.equal(false)
    follower.advance(close, close.length - 1, close.length)
    expect(follower.closed).to.equal(true)
  })

  it('takes any octets', () => {
    const follower = new FrameFollower()
    let seed = 1
    for (let n = 0; n < 500; n++) {
      const octets = Buffer.alloc(n % 90)
      for (let i = 0; i < octets.length; i++) octets[i] = (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16
      follower.advance(octets, 0, octets.length)
      expect(follower.firstBoundary).to.be.within(-1, octets.length)
    }
  })
})

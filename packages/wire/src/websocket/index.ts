export { encodeCloseFrame } from './close-frame.ts'
export { FrameFollower, opcode } from './frame-follower.ts'

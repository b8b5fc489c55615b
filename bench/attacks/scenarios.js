// What the server is attacked with, and what is wanted of it: peak of resident
// memory in MiB (`above`: over what it was before), the longest echo of the healthy connection
// in milliseconds. `order` is for the server, `attack` for the peers.

'use strict';

const MIB = 1 << 20;
const MANY = 360_000;

const small = { attack: { kind: 'small', count: MANY } };

module.exports = [
  {
    name: 'bombs-100',
    title: '60 peers, one frame each of 100 KiB that inflates to 100 MiB',
    server: { deflate: true, until: 60 },
    attack: { kind: 'bombs', peers: 60, bytes: 100 * MIB },
    wanted: { peak: 512, max: 50 }
  },
  {
    name: 'bombs-10',
    title: '200 peers, 10 MiB each from 2 MB on the wire in all',
    server: { deflate: true, until: 200 },
    attack: { kind: 'bombs', peers: 200, bytes: 10 * MIB },
    wanted: { peak: 250, max: 50 }
  },
  {
    name: 'uploads',
    title: '6 peers upload 1 MiB messages for 4 s, no compression',
    server: {},
    attack: { kind: 'flood', peers: 6, bytes: MIB, seconds: 4 },
    wanted: { peak: 116, max: 50 }
  },
  {
    name: 'blocked',
    title: 'JS blocked 4 s, 20 peers flood deflated messages, maxPayload 1 MiB',
    server: { deflate: true, maxPayload: MIB },
    order: 'block',
    attack: { kind: 'flood', peers: 20, bytes: MIB, inflates: true, seconds: 5 },
    wanted: { peak: 145 }
  },
  {
    name: 'deaf',
    title: '1 GB of one 64 KiB Buffer to a peer that does not read',
    server: {},
    order: 'pile',
    attack: { kind: 'deaf', peers: 1 },
    wanted: { peak: 70 }
  },
  {
    name: 'broadcast',
    title: '8 MiB Buffer to 25 slow clients',
    server: {},
    order: 'broadcast',
    attack: { kind: 'deaf', peers: 25 },
    wanted: { above: 16, blocked: 30 }
  },
  {
    name: 'pause',
    title: '360 000 one-byte messages around a pause()',
    server: { handler: 'pause', until: MANY },
    ...small
  },
  {
    name: 'stream',
    title: '360 000 one-byte messages through createWebSocketStream()',
    server: { handler: 'stream', until: MANY },
    ...small
  },
  {
    name: 'steps',
    title: '360 000 one-byte messages, allowSynchronousEvents: false',
    server: { allowSynchronousEvents: false, until: MANY },
    ...small
  },
  {
    name: 'slow',
    title: '2000 peers, half send a head byte by byte, half a message of 1 MiB',
    server: {},
    attack: { kind: 'slow', peers: 2000 },
    wanted: { max: 50 }
  }
];

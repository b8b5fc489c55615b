// The kinds of load that the two libraries are compared under.
//
// Read by run.js and load.js; the page shows `title` and `text`. `headline` names
// what a user would look at first. bench/ measures more, and with more care.

'use strict';

module.exports = [
  {
    id: 'everyday',
    title: 'Everyday load',
    text: '5 000 messages a second, one by one, over 500 connections. Both keep up; what they cost differs.',
    headline: 'cpu',
    path: '/echo',
    connections: 500,
    rate: 5000,
    seconds: 2
  },
  {
    id: 'saturation',
    title: 'Saturation',
    text: '64 connections with 16 messages under way on each, as fast as the server answers.',
    headline: 'rate',
    path: '/echo',
    connections: 64,
    inflight: 16,
    seconds: 2
  },
  {
    id: 'fanout',
    title: 'Fan-out',
    text: 'Each message that comes in goes out to all of 500 clients. Deliveries are counted.',
    headline: 'rate',
    path: '/fanout',
    connections: 500,
    inflight: 4,
    toAll: true,
    seconds: 2
  },
  {
    id: 'topic',
    title: 'Topic',
    text: 'The same to the 500 subscribers of a topic: ferrows publishes once. ws has no topics, and walks through its clients.',
    headline: 'rate',
    path: '/topic',
    connections: 500,
    inflight: 4,
    toAll: true,
    seconds: 2
  },
  {
    id: 'busy',
    title: 'Busy handler',
    text: 'The handler computes for 50 µs before it answers. A worker may take the I/O over.',
    headline: 'rate',
    path: '/busy',
    connections: 64,
    inflight: 1,
    seconds: 3
  }
];

// A Redis Cluster on loopback: three servers that have a third of the slots each, and no replicas.

'use strict';

const { execFileSync } = require('child_process');

const { Engine } = require('./engines');
const { freePort } = require('./ports');

const NODES = 3;
const SLOTS = 16384;
const PAUSE = 50;

class RedisCluster {
  constructor() {
    /** @type {Engine[]} */
    this.nodes = [];
  }

  async start() {
    for (let index = 0; index < NODES; index++) {
      const bus = await freePort();
      const args = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)];
      args.push('--cluster-node-timeout', '1000', '--cluster-config-file', 'nodes.conf');
      const engine = new Engine('redis', { args });
      engine.bus = bus;
      this.nodes.push(engine);
      await engine.start();
    }
    const [{ port, bus }] = this.nodes;
    this.nodes.forEach((engine, index) => {
      const bounds = [index, index + 1].map((third) => Math.floor((third * SLOTS) / NODES));
      cli(engine, 'CLUSTER', 'ADDSLOTSRANGE', bounds[0], bounds[1] - 1);
      if (index > 0) cli(engine, 'CLUSTER', 'MEET', '127.0.0.1', port, bus);
    });
    await this.agreed();
    return this;
  }

  /** Waits until every node knows of all slots. */
  async agreed() {
    const knows = (engine) => {
      const info = cli(engine, 'CLUSTER', 'INFO');
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${NODES}`);
    };
    while (!this.nodes.every(knows)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }

  /** @return {String[]} URLs of all nodes */
  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  /** @return {String[][]} The sharded channels that somebody is subscribed to, by node */
  get channels() {
    return this.nodes.map((engine) => lines(cli(engine, 'PUBSUB', 'SHARDCHANNELS')).sort());
  }

  /** Which node has a channel. @return {Number} */
  ownerOf(channel) {
    const slot = cli(this.nodes[0], 'CLUSTER', 'KEYSLOT', channel);
    return Math.min(Math.floor((Number(slot) * NODES) / SLOTS), NODES - 1);
  }

  /** Gives the slot of a channel, which must have no keys, to another node. */
  move(channel, from, to) {
    const slot = cli(this.nodes[0], 'CLUSTER', 'KEYSLOT', channel);
    const id = cli(this.nodes[to], 'CLUSTER', 'MYID');
    cli(this.nodes[to], 'CLUSTER', 'SETSLOT', slot, 'NODE', id);
    cli(this.nodes[from], 'CLUSTER', 'SETSLOT', slot, 'NODE', id);
    for (const engine of this.nodes) cli(engine, 'CLUSTER', 'SETSLOT', slot, 'NODE', id);
  }

  async remove() {
    for (const engine of this.nodes) await engine.remove();
  }
}

function cli({ port }, ...args) {
  const all = ['-p', String(port), ...args.map(String)];
  return execFileSync('redis-cli', all, { encoding: 'utf8' }).trim();
}

function lines(text) {
  return text.split('\n').filter((line) => line !== '');
}

module.exports = { RedisCluster };

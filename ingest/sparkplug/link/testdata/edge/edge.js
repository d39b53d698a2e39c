'use strict';
// An edge node made with sparkplug-client, driven by lines on standard input:
//   data {device} {volts}    publishes a DDATA
//   skip                     uses up a sequence number, as if a message were lost
//   death {device}           publishes a DDEATH
//   exit                     ends without a goodbye, so that the will is published
// It says on standard output what happens: birth, ncmd.
const sparkplug = require('sparkplug-client');

const [serverUrl, groupId, edgeNode, username = '', password = ''] = process.argv.slice(2);
const devices = ['pack1', 'pack2'];
const client = sparkplug.newClient({
  serverUrl, username, password, groupId, edgeNode,
  clientId: 'edge-' + edgeNode, publishDeath: false, version: 'spBv1.0',
});
const say = (line) => process.stdout.write(line + '\n');
const battery = (volts) => ({
  timestamp: Date.now(),
  metrics: [
    { name: 'voltage_v', type: 'Double', value: volts, timestamp: Date.now() },
    { name: 'current_a', type: 'Int16', value: -12, timestamp: Date.now() },
    { name: 'cycles', type: 'UInt32', value: 317, timestamp: Date.now() },
    { name: 'state', type: 'String', value: 'charging', timestamp: Date.now() },
    { name: 'unheard_of', type: 'Boolean', value: true, timestamp: Date.now() },
  ],
});

function births() {
  client.publishNodeBirth({
    timestamp: Date.now(),
    metrics: [{ name: 'Node Control/Rebirth', type: 'Boolean', value: false, timestamp: Date.now() }],
  });
  // One of them compressed, as this client can.
  client.publishDeviceBirth(devices[0], battery(50));
  client.publishDeviceBirth(devices[1], battery(50), { compress: true, algorithm: 'GZIP' });
  say('birth');
}

client.on('birth', births);
client.on('ncmd', (payload) => {
  for (const m of payload.metrics) {
    if (m.name === 'Node Control/Rebirth' && m.value === true) {
      say('ncmd');
      births();
    }
  }
});
client.on('error', (err) => { say('error ' + err); process.exit(1); });

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [verb, device, volts] = line.split(' ');
  switch (verb) {
    case 'data': client.publishDeviceData(device, battery(Number(volts))); break;
    case 'skip': client.incrementSeqNum(); break;
    case 'death': client.publishDeviceDeath(device, { timestamp: Date.now(), metrics: [] }); break;
    case 'exit': process.exit(0);
  }
});

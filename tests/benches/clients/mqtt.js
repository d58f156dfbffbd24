// Says `ready`, waits for a line, connects clients at a steady pace, says `connected`, waits for a line, publishes a
// QoS 1 message a second with each, spread over the second, and says how many were acknowledged. Arguments: host, port, SNI,
// certificate, key, clients, connects a second, seconds.
"use strict";
const fs = require("fs");
const mqtt = require("mqtt");
const [host, port, servername, cert, key, clients, perS, seconds] = process.argv.slice(2);
const tls = { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
const fleet = [];
let connected = 0;

function connect(number) {
  const client = mqtt.connect({
    protocol: "mqtts", host, port: Number(port), servername, ...tls,
    // The twin's authority is made anew for each; what a client checks is small beside the handshake.
    rejectUnauthorized: false,
    clientId: `bench-${number}`, clean: true, keepalive: 60, reconnectPeriod: 0, protocolVersion: 4,
  });
  client.on("error", (error) => { console.error(String(error)); process.exit(1); });
  client.on("connect", () => {
    connected += 1;
    if (connected === Number(clients)) console.log("connected");
  });
  fleet.push(client);
}

function publish() {
  let acknowledged = 0;
  const timers = [];
  const body = Buffer.alloc(128, "x");
  const send = (client, number) =>
    client.publish(`dt/bench-${number}/x`, body, { qos: 1 }, (error) => { if (!error) acknowledged += 1; });
  fleet.forEach((client, number) => {
    setTimeout(() => {
      send(client, number);
      timers.push(setInterval(send, 1000, client, number));
    }, (number * 1000) / fleet.length);
  });
  setTimeout(() => {
    timers.forEach(clearInterval);
    console.log(`acknowledged ${acknowledged}`);
  }, Number(seconds) * 1000);
}

function connectAll() {
  let next = 0;
  const pace = setInterval(() => {
    for (let n = 0; n < Number(perS) / 100 && next < Number(clients); n += 1) connect(next++);
    if (next >= Number(clients)) clearInterval(pace);
  }, 10);
}

const acts = [connectAll, publish];
process.stdin.on("data", () => acts.shift()?.());
process.stdin.on("end", () => process.exit(0));
console.log("ready");

// Loaded before the server: it names a port only, and would listen on every address.
"use strict";
const net = require("node:net");

const host = process.env.LISTEN_HOST;
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (first, ...rest) {
  const isPort = typeof first === "number" || /^\d+$/.test(String(first));
  if (!host || !isPort) {
    throw new Error("only a port can be listened on here, and LISTEN_HOST says where");
  }
  const callback = rest.find((value) => typeof value === "function");
  return listen.call(this, { port: Number(first), host }, callback);
};

// A JSON-RPC 2.0 client that knows nothing of jepanet (the package json-rpc-2.0), over HTTP and a WebSocket.
// Arguments: address, token. Prints what it was told, as one line of JSON.

import library from "json-rpc-2.0";

const { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient, createJSONRPCRequest } = library;
const [address, token] = process.argv.slice(2);
const told = {};

async function codeOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error.code;
  }
  throw new Error("it was answered");
}

const client = new JSONRPCClient(async (request) => {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
  });
  if (answer.status === 200) client.receive(await answer.json());
  else if (answer.status !== 204) throw new Error(`HTTP ${answer.status}`);
});
told.named = await client.request("rounds.list", { limit: 3 });
told.positional = await client.request("rounds.list", [3]);
client.notify("node.health", {});
told.batch = await client.requestAdvanced([
  createJSONRPCRequest("a", "chain.status", {}),
  createJSONRPCRequest("b", "nowhere.at_all", {}),
  createJSONRPCRequest("c", "rounds.get", { round: 7 }),
]);
told.codes = [
  await codeOf(client.request("nowhere.at_all", {})),
  await codeOf(client.request("rounds.list", { limit: 1000 })),
  await codeOf(client.request("peers.ban", { peer: "x" })),
  await codeOf(client.request("rounds.get", { round: 3 })),
];

const socket = new WebSocket(address.replace("http", "ws"), ["jepanet.rpc", `bearer.${token}`]);
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = reject;
});
const both = new JSONRPCServerAndClient(
  new JSONRPCServer(),
  new JSONRPCClient((request) => socket.send(JSON.stringify(request))),
);
const event = new Promise((resolve) => both.addMethod("rpc.event", resolve));
socket.onmessage = (message) => both.receiveAndSend(JSON.parse(message.data));
told.overSocket = await both.request("rounds.list", { limit: 3 });
told.subscription = await both.request("rpc.subscribe", { topic: "rounds" });
told.event = await event;
socket.close();
console.log(JSON.stringify(told));

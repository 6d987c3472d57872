// The baseline: the protocol of common WebRTC tutorials on Node.js and ws, written as one writes it there: a map of
// clients, a map of rooms, JSON parsed and put together again for each message. It logs nothing, sets no limit but a
// room's, and beats no heart, so that it does less than the server it is compared with.
//
// PORT: where to listen, on loopback. MAX_MEMBERS: of a room, 10 by default.

import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

const port = Number(process.env.PORT ?? 8080);
const maxMembers = Number(process.env.MAX_MEMBERS ?? 10);

/** @type {Map<string, {socket: import('ws').WebSocket, userId: string | null, room: string | null}>} */
const clients = new Map();
/** @type {Map<string, Set<string>>} */
const rooms = new Map();

const server = new WebSocketServer({ port, host: '127.0.0.1' });

server.on('connection', (socket) => {
  const id = randomUUID();
  clients.set(id, { socket, userId: null, room: null });
  send(id, { type: 'welcome', clientId: id });
  socket.on('message', (data) => receive(id, data));
  socket.on('close', () => {
    leave(id);
    clients.delete(id);
  });
  // 'close' follows.
  socket.on('error', () => {});
});

function receive(id, data) {
  let message;
  try {
    message = JSON.parse(data.toString());
  } catch {
    send(id, { type: 'error', message: 'Invalid message format' });
    return;
  }
  handlers[message?.type]?.(id, message);
}

const handlers = {
  __proto__: null,

  register(id, { userId }) {
    const client = clients.get(id);
    client.userId = userId || id;
    send(id, { type: 'registered', userId: client.userId });
  },

  join(id, { roomId }) {
    const members = rooms.get(roomId) ?? new Set();
    if (members.size >= maxMembers) {
      send(id, { type: 'join-error', error: 'Room is full' });
      return;
    }
    leave(id);
    const client = clients.get(id);
    client.room = roomId;
    send(id, { type: 'joined', roomId, members: [...members] });
    rooms.set(roomId, members.add(id));
    tellOthers(id, { type: 'user-joined', userId: client.userId, clientId: id });
  },

  leave(id, { roomId }) {
    if (clients.get(id).room !== roomId) return;
    leave(id);
    send(id, { type: 'left', roomId });
  },

  offer(id, { targetId, sdp }) {
    send(targetId, { type: 'offer', fromId: id, fromUserId: clients.get(id).userId, sdp });
  },

  answer(id, { targetId, sdp }) {
    send(targetId, { type: 'answer', fromId: id, fromUserId: clients.get(id).userId, sdp });
  },

  candidate(id, { targetId, candidate }) {
    send(targetId, { type: 'candidate', fromId: id, candidate });
  },

  message(id, { targetId, content }) {
    const message = { type: 'message', fromId: id, fromUserId: clients.get(id).userId, content };
    if (targetId) send(targetId, message);
    else tellOthers(id, message);
  },
};

function leave(id) {
  const client = clients.get(id);
  const members = rooms.get(client?.room);
  if (!members) return;
  tellOthers(id, { type: 'user-left', userId: client.userId, clientId: id });
  members.delete(id);
  if (members.size === 0) rooms.delete(client.room);
  client.room = null;
}

function tellOthers(id, message) {
  for (const member of rooms.get(clients.get(id).room) ?? []) {
    if (member !== id) send(member, message);
  }
}

function send(id, message) {
  const socket = clients.get(id)?.socket;
  if (socket?.readyState === 1) socket.send(JSON.stringify(message));
}

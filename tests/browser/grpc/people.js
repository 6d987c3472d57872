// Clients of the browser protocol, without a browser.

/** @typedef {import("../pages/harness.js").Server} Server */

/** @param {Server} server @param {string} [from] the address that a trusted proxy says it comes from */
export async function connect(server, from) {
  const socket = open(server, from);
  /** @type {any[]} */
  const unread = [];
  const arrived = new EventTarget();
  socket.onmessage = ({ data }) => {
    unread.push(JSON.parse(data));
    arrived.dispatchEvent(new Event("message"));
  };
  /** @type {Promise<CloseEvent>} */
  const closed = new Promise((resolve) => (socket.onclose = resolve));
  /** The next message of one of these types; others before it are passed over. @param {string[]} types */
  const next = async (...types) => {
    for (;;) {
      while (unread.length > 0) {
        const message = unread.shift();
        if (types.includes(message.type)) return message;
      }
      await new Promise((resolve) => arrived.addEventListener("message", resolve, { once: true }));
    }
  };
  const { clientId } = await next("welcome");
  /** @param {object} message @param {string[]} replies */
  const request = (message, ...replies) => {
    socket.send(JSON.stringify(message));
    return next(...replies);
  };
  return {
    id: /** @type {string} */ (clientId),
    closed,
    next,
    close: () => socket.close(),
    request,
    /** @param {string} roomId */
    join: (roomId) => request({ type: "join", roomId }, "joined", "waiting", "join-error"),
    /** @param {string} roomId where it sits */
    leave: (roomId) => request({ type: "leave", roomId }, "left"),
  };
}

/** How a client is sent away that is not let in. @param {Server} server @param {string} [from] */
export async function turnedAway(server, from) {
  const socket = open(server, from);
  /** @type {CloseEvent} */
  const { code } = await new Promise((resolve) => (socket.onclose = resolve));
  return code;
}

/** A client that registered and sits in a room. @param {Server} server @param {string} [from] */
export async function member(server, roomId = "standup", userId = "ann", from = undefined) {
  const person = await connect(server, from);
  await person.request({ type: "register", userId }, "registered");
  await person.join(roomId);
  return person;
}

/** @param {Server} server @param {string} [from] */
function open(server, from) {
  const headers = from ? { "X-Forwarded-For": from } : {};
  // Node.js takes headers too, which browsers do not.
  return new WebSocket(`${server.url.replace("http", "ws")}/ws`, /** @type {any} */ ({ headers }));
}

// Clients of the browser protocol, without a browser.

/** @param {import("../pages/harness.js").Server} server */
export async function connect(server) {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws`);
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
  return {
    id: /** @type {string} */ (clientId),
    closed,
    next,
    close: () => socket.close(),
    /** @param {object} message @param {string[]} replies */
    request: (message, ...replies) => {
      socket.send(JSON.stringify(message));
      return next(...replies);
    },
  };
}

/** A client that registered and sits in a room. @param {import("../pages/harness.js").Server} server */
export async function member(server, { roomId = "standup", userId = "ann" } = {}) {
  const person = await connect(server);
  await person.request({ type: "register", userId }, "registered");
  await person.request({ type: "join", roomId }, "joined");
  return person;
}

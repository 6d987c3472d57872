// Clients that come and go, and an administrator beside them: what a mirror has to keep up with.

import assert from "node:assert/strict";

import { SERVICE, call } from "../grpc/buf.js";
import { connect } from "../grpc/people.js";

/** @typedef {import("../pages/harness.js").Server} Server */
/** @typedef {Awaited<ReturnType<typeof connect>> & { roomId?: string }} Person */

// One of them is no name for a property of a JavaScript object.
const ROOMS = ["standup", "retro", "会议", "__proto__", "quiet room"];
const PEOPLE = 16;

/** @param {Server} server @param {number} [seed] */
export function crowd(server, seed = 1) {
  const random = numbers(seed);
  /** @type {Person[]} */
  const people = [];
  /** @type {Person[]} */
  const waiting = [];
  let churns = 0;

  /** People come, change rooms, go and vanish; an administrator makes, changes, locks and ends rooms, makes hosts and lets in who waits. @param {number} steps */
  async function churn(steps) {
    const turn = `${seed}-${(churns += 1)}`;
    while (people.length < PEOPLE) people.push(await connect(server));
    await Promise.all([administrate(turn), ...people.map((_, at) => move(at, steps))]);
  }

  /** @param {number} at @param {number} steps */
  async function move(at, steps) {
    for (let step = 0; step < steps; step += 1) {
      const person = people[at];
      const what = random(10);
      if (what === 0) {
        person.close();
        people[at] = await connect(server);
      } else if (person.roomId) {
        await person.leave(person.roomId);
        person.roomId = undefined;
      } else {
        const roomId = ROOMS[random(ROOMS.length)];
        const { type } = await person.join(roomId);
        if (type !== "join-error") person.roomId = roomId;
      }
    }
  }

  /** @param {string} turn */
  async function administrate(turn) {
    const [ended, kept] = [`ended-${turn}`, `kept-${turn}`];
    const doomed = await connect(server);
    await doomed.join(ended);
    await admin("CreateRoom", { roomId: kept, room: { maxMembers: 3, emptyTimeout: "3600s" } });
    await admin("LockRoom", { roomId: kept, locked: true });
    await admin("UpdateRoom", { room: { roomId: kept, metadataJson: '{"topic": "mirrors"}' } });
    await admin("DeleteRoom", { roomId: ended });
    assert.equal((await doomed.closed).code, 4502);
    await hostAndAdmit(turn);
  }

  /** One of those who come is made host, one let in, one sent away, and one waits on until the next turn. @param {string} turn */
  async function hostAndAdmit(turn) {
    const roomId = `lobby-${turn}`;
    await admin("CreateRoom", { roomId, room: { lobby: true, password: "correct horse" } });
    await admin("UpdateRoom", { room: { roomId }, updateMask: "password" });
    waiting.splice(0).forEach((person) => person.close());
    const [ann, bob, carol] = [await connect(server), await connect(server), await connect(server)];
    for (const person of [ann, bob, carol]) assert.equal((await person.join(roomId)).type, "waiting");
    await admin("AdmitClient", { clientId: ann.id, roomId });
    await admin("DenyClient", { clientId: bob.id, roomId });
    const dan = await connect(server);
    await dan.join(roomId);
    await admin("AdmitClient", { clientId: dan.id, roomId });
    await admin("SetRole", { clientId: dan.id, roomId, role: "ROLE_HOST" });
    waiting.push(ann, bob, carol, dan);
  }

  /** @param {string} method @param {object} request */
  const admin = (method, request) => call(server, `${SERVICE}/${method}`, request);
  return { churn };
}

/** The rooms as an administrator is shown them, in the form of the mirrors' file. @param {Server} server */
export async function rosters(server) {
  const { rooms = [] } = await call(server, `${SERVICE}/ListRooms`, { pageSize: 1000 });
  const shown = await Promise.all(rooms.map(async (/** @type {any} */ { roomId }) => {
    const room = await call(server, `${SERVICE}/GetRoom`, { roomId });
    return [roomId, {
      max_members: room.maxMembers,
      locked: room.locked ?? false,
      metadata_json: room.metadataJson,
      members: (room.members ?? []).map((/** @type {any} */ { clientId }) => clientId).sort(),
    }];
  }));
  return Object.fromEntries(shown);
}

/** Numbers below what is asked, as if by chance, and the same each time. @param {number} seed */
function numbers(seed) {
  let state = seed;
  return (/** @type {number} */ below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % below;
  };
}

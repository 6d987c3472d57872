// Tokens of other libraries, by each algorithm: what PyJWT and jose make is taken.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { SignJWT, exportJWK, jwtVerify } from "jose";

import { connect } from "../grpc/people.js";
import { serverBinary, startServer } from "../pages/harness.js";

/**
 * @typedef {import("../pages/harness.js").Server} Server
 * @typedef {import("node:crypto").KeyObject} KeyObject
 * @typedef {{ alg: string, kid: string, key: KeyObject }} Signer
 */

const FOLDER = mkdtempSync(join(tmpdir(), "tokens-"));
const PYTHON = fileURLToPath(new URL(".venv/bin/python", import.meta.url));
const MAKE = fileURLToPath(new URL("make.py", import.meta.url));
const SECRET = randomBytes(48).toString("base64url");

const secret = createSecretKey(SECRET, "utf8");
const pairs = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ed: generateKeyPairSync("ed25519"),
};

/** @type {Signer[]} */
const SIGNERS = [
  ...["HS256", "HS384", "HS512"].map((alg) => ({ alg, kid: "secret", key: secret })),
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map((alg) => ({ alg, kid: "rsa", key: pairs.rsa.privateKey })),
  { alg: "ES256", kid: "p256", key: pairs.p256.privateKey },
  { alg: "ES384", kid: "p384", key: pairs.p384.privateKey },
  { alg: "EdDSA", kid: "ed", key: pairs.ed.privateKey },
];

/** @type {{ files: Server, set: Server }} */
let servers;
before(async () => {
  const secretFile = write("secret", `${SECRET}\n`);
  const files = Object.entries(pairs).flatMap(([name, { publicKey }]) => {
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    return ["--jwt-public-key-file", write(name, pem)];
  });
  const keys = await Promise.all(
    Object.entries(pairs).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid, use: "sig" })),
  );
  const set = write("keys.json", JSON.stringify({ keys }));
  servers = {
    files: await startServer(["--jwt-secret-file", secretFile, ...files]),
    set: await startServer(["--jwt-secret-file", secretFile, "--jwks", set]),
  };
});
after(async () => {
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  rmSync(FOLDER, { recursive: true });
});

test("jose's tokens are taken, by each algorithm", async () => {
  for (const { alg, kid, key } of [...SIGNERS, { ...SIGNERS[SIGNERS.length - 1], alg: "Ed25519" }]) {
    const token = new SignJWT({ name: "Ann", rooms: ["r"] }).setProtectedHeader({ alg, kid, typ: "JWT" });
    await isTaken(alg, await token.setSubject(`ann by ${alg}`).setIssuedAt().setExpirationTime("1h").sign(key));
  }
});

test("PyJWT's tokens are taken, by each algorithm", async () => {
  const now = Math.floor(Date.now() / 1000);
  const wanted = SIGNERS.map(({ alg, kid, key }) => {
    const text = key === secret ? SECRET : key.export({ type: "pkcs8", format: "pem" });
    return { alg, kid, key: text, claims: { sub: `ann by ${alg}`, exp: now + 3600, rooms: ["r"] } };
  });
  const made = spawnSync(PYTHON, [MAKE], { input: JSON.stringify(wanted), encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  const tokens = /** @type {string[]} */ (JSON.parse(made.stdout));
  assert.equal(tokens.length, SIGNERS.length);
  for (const [nth, { alg }] of SIGNERS.entries()) await isTaken(alg, String(tokens[nth]));
});

test("jose takes what gen-token makes", async () => {
  for (const [flag, name, key] of /** @type {[string, string, KeyObject][]} */ ([
    ["--jwt-secret-file", "secret", secret],
    ...Object.entries(pairs).map(([name, pair]) => {
      write(`${name}.private`, pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
      return ["--jwt-private-key-file", `${name}.private`, pair.publicKey];
    }),
  ])) {
    const words = ["gen-token", "user", flag, join(FOLDER, name), "--sub", "ann", "--role", "host", "--kid", "1"];
    const { stdout } = await promisify(execFile)(serverBinary(), words);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), key);
    assert.deepEqual([payload.sub, payload.role, protectedHeader.kid], ["ann", "host", "1"], name);
  }
});

/** By both servers, and it lets in where it says. @param {string} alg @param {string} token */
async function isTaken(alg, token) {
  for (const [kind, server] of Object.entries(servers)) {
    const person = await connect(server);
    const answer = await person.request({ type: "register", token }, "registered", "error");
    assert.deepEqual(answer, { type: "registered", userId: `ann by ${alg}`, role: "member" }, `${alg}, ${kind}`);
    assert.equal((await person.join("r")).type, "joined");
    assert.equal((await person.join("s")).code, "forbidden");
    person.close();
  }
}

/** @param {string} name @param {string} text */
function write(name, text) {
  const path = join(FOLDER, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

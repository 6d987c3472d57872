// A real nginx in front of the server.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const NGINX = process.env.NGINX ?? "/usr/sbin/nginx";
const run = promisify(execFile);

/** @param {string} locations what stands inside of its server block */
export function startNginx(locations) {
  return launch((port) => `
    events {}
    http {
      access_log off;
      map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      server {
        listen 127.0.0.1:${port};
        absolute_redirect off;
        ${locations}
      }
    }`);
}

/** As deploy/ has it, before these nodes. @param {string[]} addresses of three */
export async function startBalancer(addresses) {
  const deployed = await readFile(new URL("../../../deploy/nginx.conf", import.meta.url), "utf8");
  const names = ["node-a:8080", "node-b:8080", "node-c:8080"];
  const settings = names.reduce((text, name, nth) => text.replace(name, addresses[nth]), deployed);
  return launch((port) => settings
    .replace("listen 8080", `listen 127.0.0.1:${port}`)
    .replace("worker_rlimit_nofile 262144;", "")
    .replace("worker_connections 131072", "worker_connections 512")
    .replace("access_log /dev/stdout without_query", "access_log off"));
}

/** @param {(port: number) => string} settingsAt */
async function launch(settingsAt) {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"));
  const port = await freePort();
  const settings = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
  await writeFile(settings, `
    pid ${folder}/pid;
    # No other user's process, which could not read the folder.
    master_process off;
    ${settingsAt(port).replace("http {", `http {\n${temporary.join("\n")}`)}`);
  const nginx = (/** @type {string[]} */ ...args) => run(NGINX, ["-e", `${folder}/error.log`, "-c", settings, ...args]);
  // Returns once it listens, and goes on in the background.
  await nginx();
  return {
    url: `http://localhost:${port}`,
    stop: async () => {
      await nginx("-s", "stop");
      await rm(folder, { recursive: true, maxRetries: 10 });
    },
  };
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

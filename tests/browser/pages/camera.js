// A camera whose pictures move and are small: a browser's own fake one gives 1280 by 720, of which each page of a call encodes
// one and decodes all others, without a graphics card.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const WIDTH = 320;
const HEIGHT = 180;
const PICTURES = 40;
const BAR = 40;

/** Where the film is that the camera plays over and over, in YUV4MPEG2. @param {number} framesPerSecond */
export function cameraFile(framesPerSecond) {
  const folder = mkdtempSync(join(tmpdir(), "signalpost-camera-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "camera.y4m");
  const header = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${framesPerSecond}:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(file, Buffer.concat([header, ...Array.from({ length: PICTURES }, (_, at) => picture(at))]));
  return file;
}

/** A bright bar that walks from left to right over grey, and a hue that changes. @param {number} at */
function picture(at) {
  const line = Buffer.alloc(WIDTH, 90);
  const left = Math.round((at * (WIDTH - BAR)) / PICTURES);
  line.fill(235, left, left + BAR);
  const bright = Array.from({ length: HEIGHT }, () => line);
  const quarter = (WIDTH * HEIGHT) / 4;
  return Buffer.concat([Buffer.from("FRAME\n"), ...bright, Buffer.alloc(quarter, 108 + at), Buffer.alloc(quarter, 128)]);
}

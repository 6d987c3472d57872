// How loud somebody is.

/** @type {AudioContext | null} */
let context = null;

/** Browsers keep sound waiting for a click. To be called in its handler. */
export async function unlockAudio() {
  await audioContext().resume();
}

/** One for the page: browsers allow only a few. */
export function audioContext() {
  return (context ??= new AudioContext());
}

export class LevelMeter {
  #analyser;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  #stream;
  #samples;
  #follow = () => this.#connect();

  /** @param {MediaStream} stream whose sound may come, go and be replaced */
  constructor(stream) {
    this.#stream = stream;
    this.#analyser = audioContext().createAnalyser();
    this.#analyser.fftSize = 512;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    stream.addEventListener("addtrack", this.#follow);
    stream.addEventListener("removetrack", this.#follow);
    this.#connect();
  }

  /** 0 is silence, 1 as loud as it gets; speech is about 0.35 to 0.7. */
  level() {
    // A track that the page itself put into its stream is announced by no event.
    if (this.#source?.mediaStream.getAudioTracks()[0] !== this.#stream.getAudioTracks()[0]) this.#connect();
    if (!this.#source) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let energy = 0;
    for (const sample of this.#samples) energy += sample * sample;
    const decibels = 10 * Math.log10(energy / this.#samples.length + 1e-10);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }

  close() {
    this.#stream.removeEventListener("addtrack", this.#follow);
    this.#stream.removeEventListener("removetrack", this.#follow);
    this.#source?.disconnect();
    this.#source = null;
  }

  #connect() {
    this.#source?.disconnect();
    const [track] = this.#stream.getAudioTracks();
    // A stream of its own, that keeps this one track: the meter sees when the other stream has another.
    this.#source = track ? audioContext().createMediaStreamSource(new MediaStream([track])) : null;
    this.#source?.connect(this.#analyser);
  }
}

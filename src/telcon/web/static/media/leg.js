/**
 * One media leg to the own node: one line out, four lines in, agreed once and never again in a call.
 * It is armed while it rings (connected, but without microphone) and speaks when it is given a track.
 */
import { nowUs } from "../clock.js";
import { Refused } from "../live-link.js";
import Meter from "./meter.js";
import preferences from "./preferences.js";

const SLOTS = 4;
const RESTART_MS = 3000;

export default class Leg {
  /** @type {"connecting"|"connected"|"lost"|"closed"} */
  state = "connecting";
  /** Since when there is no path, on the node's clock, µs; 0 while there is one. */
  lostAtUs = 0;
  #connection;
  #sender;
  #exchange;
  #onState;
  #onGone;
  /** @type {HTMLAudioElement[]} */ #players = [];
  /** @type {Record<number, Meter>} those who are in a slot, once somebody looks */ #meters = {};
  #restart = 0;

  /**
   * @param {RTCCertificate} certificate
   * @param {(kind: "offer"|"restart", sdp: string) => Promise<string>} exchange gives the node's answer
   * @param {() => void} onState
   * @param {() => void} onGone the node has given this leg up; only a new one helps
   */
  constructor(certificate, exchange, onState, onGone) {
    this.#exchange = exchange;
    this.#onState = onState;
    this.#onGone = onGone;
    // No ICE servers: the node is reachable or it is not, and nobody else learns that there is a call.
    this.#connection = new RTCPeerConnection({
      iceServers: [], bundlePolicy: "max-bundle", certificates: [certificate],
    });
    this.#connection.onconnectionstatechange = () => this.#changed();
    this.#connection.ontrack = (event) => this.#hear(event.track);
    this.#sender = this.#connection.addTransceiver("audio", { direction: "sendonly" }).sender;
    for (let slot = 0; slot < SLOTS; slot++) this.#connection.addTransceiver("audio", { direction: "recvonly" });
  }

  /** Connects to the node. Rejects when the node refuses. */
  async arm() {
    await this.#connection.setLocalDescription();
    const sdp = await this.#exchange("offer", this.#connection.localDescription.sdp);
    if (this.state !== "closed") await this.#connection.setRemoteDescription({ type: "answer", sdp });
  }

  /** @param {MediaStreamTrack|null} track what is heard from here from now on */
  async speak(track) {
    if (this.state !== "closed") await this.#sender.replaceTrack(track);
  }

  /**
   * How loud a line in is now, 0 to 1 of the loudest possible. Measured here: packets bear no level,
   * which any watcher on the way could read.
   * @param {number} slot
   */
  level(slot) {
    if (this.state === "closed") return 0;
    this.#meters[slot] ??= new Meter(this.#connection.getTransceivers()[slot + 1].receiver.track);
    return this.#meters[slot].level();
  }

  /** What the browser counts of this leg. @returns {Promise<RTCStatsReport>} */
  count() {
    return this.#connection.getStats();
  }

  /**
   * Lets everybody be heard through the chosen output.
   * @returns {Promise<boolean>} false when it is gone: then the device's own is used
   */
  async sendOut() {
    const { output } = preferences();
    const sent = await Promise.all(this.#players.map((player) => route(player, output)));
    return sent.every(Boolean);
  }

  /** Looks for a new path now: the device has slept, or has another address. */
  refresh() {
    if (this.state === "connected" || this.state === "lost") this.#findPath();
  }

  /** Lets sound out, in a tap: some browsers hold it back before the first one. */
  play() {
    this.#players.forEach((player) => player.play().catch(() => undefined));
  }

  /** Ends everything at once; nothing is sent or heard after it. */
  close() {
    this.state = "closed";
    clearInterval(this.#restart);
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
    Object.values(this.#meters).forEach((meter) => meter.close());
    this.#meters = {};
    this.#players.forEach((player) => {
      player.srcObject = null;
      player.remove();
    });
    this.#players = [];
  }

  #hear(track) {
    const player = document.createElement("audio");
    player.autoplay = true;
    player.srcObject = new MediaStream([track]);
    document.getElementById("sound").append(player);
    this.#players.push(player);
    route(player, preferences().output);
  }

  #changed() {
    const now = this.#connection.connectionState;
    const lost = now === "disconnected" || now === "failed";
    this.state = lost ? "lost" : now === "connected" ? "connected" : this.state;
    this.lostAtUs = lost ? this.lostAtUs || nowUs() : 0;
    clearInterval(this.#restart);
    this.#restart = lost ? setInterval(() => this.#findPath(), RESTART_MS) : 0;
    this.#onState();
  }

  async #findPath() {
    const connection = this.#connection;
    try {
      if (connection.signalingState !== "stable") await connection.setLocalDescription({ type: "rollback" });
      connection.restartIce();
      await connection.setLocalDescription();
      const sdp = await this.#exchange("restart", connection.localDescription.sdp);
      if (connection.signalingState === "have-local-offer") {
        await connection.setRemoteDescription({ type: "answer", sdp });
      }
    } catch (error) {
      if (this.state === "closed") return;
      if (error instanceof Refused && error.message) return this.#onGone();
      console.info("no new path yet", error);
    }
  }
}

/** @param {HTMLAudioElement} player @param {string} output @returns {Promise<boolean>} whether it was there */
async function route(player, output) {
  if (!player.setSinkId || player.sinkId === output) return true;
  try {
    await player.setSinkId(output);
    return true;
  } catch {
    await player.setSinkId(""); // unplugged: nobody may become unheard by that
    return false;
  }
}

/**
 * One media leg to the own node: one line out, four lines in, agreed once and never again in a call.
 * It is armed while it rings (connected, but without microphone) and speaks when it is given a track.
 */
const SLOTS = 4;
const RESTART_MS = 3000;

export default class Leg {
  /** @type {"connecting"|"connected"|"lost"|"closed"} */
  state = "connecting";
  #connection;
  #sender;
  #exchange;
  #onState;
  /** @type {HTMLAudioElement[]} */ #players = [];
  #restart = 0;

  /**
   * @param {RTCCertificate} certificate
   * @param {(kind: "offer"|"restart", sdp: string) => Promise<string>} exchange gives the node's answer
   * @param {() => void} onState
   */
  constructor(certificate, exchange, onState) {
    this.#exchange = exchange;
    this.#onState = onState;
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

  /** How loud each line in is now, 0 to 1 of the loudest possible. @returns {number[]} */
  levels() {
    if (this.state === "closed") return [];
    const lines = this.#connection.getTransceivers().slice(1);
    return lines.map((line) => line.receiver.getSynchronizationSources()[0]?.audioLevel ?? 0);
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
  }

  #changed() {
    const now = this.#connection.connectionState;
    const lost = now === "disconnected" || now === "failed";
    this.state = lost ? "lost" : now === "connected" ? "connected" : this.state;
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
      if (this.state !== "closed") console.info("no new path yet", error);
    }
  }
}

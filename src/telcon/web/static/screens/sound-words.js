/** What there is to say about the sound of a live call: the one thing that matters most, and what to do. */
import { since } from "../clock.js";
import { say } from "../words.js";

const NODES_SILENT_MS = 3000; // they report to each other each second

/**
 * @param {object} at
 * @param {Record<string, any>} at.call
 * @param {import("../media/call-media.js").default} at.media
 * @param {boolean} at.listening this device only hears, as the person chose
 * @param {boolean} at.silent this device is on the call and has no microphone open
 * @param {number} at.now the node's clock, µs
 */
export default function soundWords({ call, media, listening, silent, now }) {
  const { voice } = media;
  if (!call.mine) return say("live.elsewhere");
  if (media.state === "lost") return say("live.sound.lost", { time: since(media.lostAtUs) });
  if (silent) return say(voice.change === "gone" ? "live.sound.gone" : "live.sound.reloaded");
  if (media.state !== "connected") return say("live.sound.connecting");
  const quiet = call.quality?.trunk_silent_ms ?? 0;
  if (quiet > NODES_SILENT_MS) {
    return say("live.sound.nodes", { node: call.peer.node, time: since(now - quiet * 1000) });
  }
  if (listening) return say("live.listening");
  if (voice.silenced) return say("live.sound.silenced");
  if (voice.muted) return say("live.mute.on");
  return voice.change ? say(`live.sound.${voice.change}`) : "";
}

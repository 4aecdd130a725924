/** The words on the page's tab: what rings, whom one talks with, what came. */
import { say, sayCount } from "./words.js";

/**
 * @param {string} screen
 * @param {Record<string, any>|null} call the call shown
 * @param {string} name of whom the screen is about, or ""
 * @param {number} news how many messages and missed calls nobody has looked at
 */
export default function titleOf(screen, call, name, news) {
  if (screen === "incoming") return say("incoming.title", { name: call.peer.name });
  if (call?.phase === "live" && !call.ended) return say("title.live", { name: call.peer.name });
  if (screen === "ringing") return say("title.ringing", { name });
  const where = name || say("title");
  return news ? say("title.news", { news: sayCount("title.new", news), where }) : where;
}

/** How each leg of a call is protected, in words that claim no more than this side can know. */
import { hasWords, say } from "../words.js";

/**
 * @param {Record<string, any>} call
 * @param {string} ourNode
 * @param {string} suite cipher of our own leg as the browser calls it, or ""
 * @returns {[string, string][]} leg and what protects it
 */
export default function securityOf(call, ourNode, suite) {
  const { node } = call.peer;
  const own = hasWords(`suite.${suite}`) ? say(`suite.${suite}`) : suite;
  return [
    [say("security.own-leg", { node: ourNode }), own ? say("security.own", { suite: own }) : say("security.own.unknown")],
    [say("security.nodes-leg", { node }), say("security.nodes")],
    [say("security.their-leg", { node }), say("security.theirs", { node })],
    [say("security.hear"), say("security.hear.text")],
  ];
}

/** The page that the service worker shows when the node cannot be reached: tries again by itself. */
import LinePicture from "./line-picture.js";

const AGAIN_MS = 4000;

new LinePicture(document.querySelector(".line-picture")).show("down");
document.querySelector("button").addEventListener("click", () => location.reload());
addEventListener("online", look);
setInterval(look, AGAIN_MS);

/** Comes back when the node does; `/sw.js` is the one file that is never kept. */
async function look() {
  if (document.hidden) return;
  const answer = await fetch("/sw.js", { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (answer?.ok) location.reload();
}

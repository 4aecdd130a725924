/**
 * The page that a one-time link opens. The secret stands behind `#` and is sent after a tap alone;
 * it leaves the address bar and the history before anything else happens.
 */
import LinePicture from "./line-picture.js";
import { parts, put } from "./parts.js";
import { say } from "./words.js";

const at = parts(document.getElementById("sign-in"));
const picture = new LinePicture(at.line);
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
picture.show("down");

if (/^[0-9A-Za-z_-]{16,128}$/u.test(secret)) at.go.addEventListener("click", signIn);
else refuse(say("sign-in.no-secret"), say("sign-in.ask-again"));

async function signIn() {
  at.go.disabled = true;
  put(at.go, say("sign-in.busy"));
  const answer = await fetch("/sign-in", { method: "POST", body: secret }).catch(() => null);
  if (answer?.ok) {
    picture.show("up");
    location.replace("/");
  } else if (answer?.status === 403) {
    const { error, advice } = await answer.json();
    refuse(error, advice);
  } else {
    put(at.heading, say("sign-in.unreachable"));
    put(at.text, say("sign-in.unreachable.advice"));
    at.go.disabled = false;
    put(at.go, say("sign-in.button"));
  }
}

function refuse(heading, text) {
  at.go.hidden = true;
  put(at.heading, heading);
  put(at.text, text);
}

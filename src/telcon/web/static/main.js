/** Begins the page, and what it leaves in the browser: a service worker, a notice while it rings. */
import { forgetDevice, install } from "./install.js";
import Page from "./page.js";
import RingNotice from "./ring-notice.js";

const page = new Page();
const notice = new RingNotice();
notice.connect();
page.link.addEventListener("state", install, { once: true });
page.link.addEventListener("state", (event) => notice.arrived(/** @type {CustomEvent} */ (event).detail.call));
page.link.addEventListener("contact", () => page.link.contact === "signed-out" && forgetDevice());
page.connect();

/** The page of one call: its times in the reader's own time zone, and a button to print it. */
import { locale } from "./words.js";

const FORMS = {
  day: { dateStyle: "full", timeStyle: "long" },
  moment: { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" },
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};

for (const node of document.querySelectorAll("time")) {
  const form = /** @type {Intl.DateTimeFormatOptions} */ (FORMS[node.dataset.form]);
  node.textContent = new Intl.DateTimeFormat(locale, form).format(new Date(node.dateTime));
}
document.getElementById("print").addEventListener("click", () => print());

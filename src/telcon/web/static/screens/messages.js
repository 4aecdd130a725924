/** Messages of one line: what was written, how far it is signed, and a field to write in. */
import { since, when } from "../clock.js";
import { clone, keyed, parts, put } from "../parts.js";
import { plain, say } from "../words.js";
import Screen from "./screen.js";

const LIMIT = 2000; // characters; the node refuses more
const NEAR_END_PX = 80;

export default class Messages extends Screen {
  #line = "";
  #atEnd = true;
  #resized = new ResizeObserver(() => this.#atEnd && this.#toEnd());

  constructor(page) {
    super(page, "t-messages");
    this.at.form.addEventListener("submit", (event) => this.#send(event));
    this.at.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
    });
    this.at.text.addEventListener("input", () => this.#written());
    this.at.log.addEventListener("scroll", () => (this.#atEnd = this.#isAtEnd()), { passive: true });
    this.#resized.observe(this.at.log); // a keyboard comes up, a phone is turned
  }

  disconnect() {
    this.#resized.disconnect();
  }

  render({ line, snapshot }) {
    const { name, node } = line.peer;
    if (this.#line !== line.line) this.#open(line);
    put(this.at.name, plain(name));
    put(this.at["none-text"], say("messages.none.text", { node }));
    this.at.back.href = `#line/${line.line}`;
    const held = snapshot.messages[line.line] ?? [];
    const ids = new Set(held.map((item) => item.id)); // the node may show it before it has answered
    const items = [...held, ...this.page.outbox.of(line.line).filter((item) => !ids.has(item.id))];
    this.at.none.hidden = items.length > 0;
    this.at.log.hidden = items.length === 0;
    this.#renderItems(items, line);
  }

  escape() {
    this.page.go(`line/${this.#line}`);
  }

  #open(line) {
    this.#line = line.line;
    const label = say("messages.field", { name: line.peer.name });
    this.at.text.placeholder = label;
    this.at.text.setAttribute("aria-label", label);
    this.at.log.setAttribute("aria-label", say("messages.log", { name: line.peer.name }));
    this.at.text.value = this.page.drafts.get(line.line) ?? "";
    this.#written();
  }

  #renderItems(items, line) {
    const list = this.at.said;
    const atEnd = this.#isAtEnd();
    const before = list.lastElementChild;
    keyed(list, items, (item) => item.id, () => clone("t-message"), (node, item) => {
      const at = parts(node);
      node.classList.toggle("ours", item.ours);
      put(at.text, item.text === null ? say("messages.unreadable") : plain(item.text));
      put(at.mark, `${when(item.time_us)}, ${progress(item, line)}`);
      at.mark.dataset.state = item.state === "signed by both" ? "signed" : "waiting";
    });
    if (atEnd && list.lastElementChild !== before) this.#toEnd();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.at.log;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd() {
    this.at.log.scrollTop = this.at.log.scrollHeight;
  }

  #written() {
    const { text, trouble } = this.at;
    this.page.drafts.set(this.#line, text.value);
    const over = text.value.trim().length - LIMIT;
    put(trouble, over > 0 ? say("messages.too-long", { count: over }) : "");
    text.style.blockSize = "auto";
    text.style.blockSize = `${text.scrollHeight}px`;
  }

  async #send(event) {
    event.preventDefault();
    const { text } = this.at;
    const words = text.value.trim();
    if (!words || words.length > LIMIT) return text.focus();
    text.value = "";
    this.#written();
    text.focus();
    if (!(await this.page.outbox.write(this.#line, words)) && !text.value) {
      text.value = words; // not taken: nothing that was written is lost
      this.#written();
    }
  }
}

function progress(item, line) {
  if (item.state === "signed by both") return say("messages.signed");
  if (item.state === "sending") return say("messages.sending");
  if (line.up) return say("messages.waiting");
  return line.since_us ? say("messages.waiting-down", { time: since(line.since_us) }) : say("messages.waiting-down.no-time");
}

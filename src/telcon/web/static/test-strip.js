/**
 * Seven days of line tests: a row for each day, a column for each hour, our tests above, theirs below.
 * Drawn for the eye; each row says the same in words. Shape tells states apart, colour only helps.
 */
import { dayName, when } from "./clock.js";
import { clone, keyed, parts, put } from "./parts.js";
import { say, sayCount } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const DAYS = 7;
const HOUR_US = 3_600_000_000;
const CELL = 11; // px, with the space between
const LANES = { ours: 1, theirs: 9 };
const HEIGHT = 7;
const NAMED = 3; // of what was missed, in words

export default class TestStrip {
  #at;
  #drawn = "";

  /** @param {HTMLElement} root a copy of template `t-strip` */
  constructor(root) {
    this.#at = parts(root);
  }

  /** @param {Record<string, any>} tests as the node shows them @param {number} now µs */
  render(tests, now) {
    const { rows, missed } = this.#at;
    put(this.#at.rhythm, rhythm(tests));
    const key = `${tests.from_us} ${tests.ours} ${tests.theirs} ${Math.floor(now / HOUR_US)}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    keyed(rows, days(tests, now), (day) => day.key, () => clone("t-strip-day"), showDay);
    keyed(missed, tests.missed.slice(0, NAMED), (one) => `${one.side} ${one.time_us}`, () => document.createElement("li"),
      (node, one) => put(node, say(`strip.${one.outcome}.${one.side}`, { time: when(one.time_us) })));
    missed.hidden = tests.missed.length === 0;
  }
}

function rhythm(tests) {
  return tests.every_minutes ? sayCount("strip.every", tests.every_minutes) : say("strip.never");
}

/** The cells by day and hour of this device's time zone, today last. */
function days({ from_us: from, ours, theirs }, now) {
  /** @type {Map<string, {key: string, us: number, ours: string[], theirs: string[]}>} */
  const found = new Map();
  [...ours].forEach((state, index) => {
    const us = from + index * HOUR_US;
    const then = new Date(us / 1000);
    const key = then.toDateString();
    if (!found.has(key)) found.set(key, { key, us, ours: Array(24).fill(" "), theirs: Array(24).fill(" ") });
    const day = found.get(key);
    day.us = us;
    if (us > now) return;
    day.ours[then.getHours()] = state;
    day.theirs[then.getHours()] = theirs[index];
  });
  return [...found.values()].slice(-DAYS);
}

function showDay(node, day) {
  const at = parts(node);
  put(at.day, dayName(day.us));
  put(at.words, `${dayName(day.us)}: ${tell("ours", day.ours)} ${tell("theirs", day.theirs)}`);
  const cells = [...draw("ours", day.ours), ...draw("theirs", day.theirs)];
  at.cells.setAttribute("viewBox", `0 0 ${24 * CELL} ${LANES.theirs + HEIGHT + 1}`);
  at.cells.replaceChildren(...cells);
}

function tell(side, cells) {
  const count = (/** @type {string} */ of) => cells.filter((state) => of.includes(state)).length;
  const [answered, missed] = [count("a"), count("lm")];
  if (!answered && !missed) return say(`strip.none.${side}`);
  return say(`strip.${missed ? "some" : "all"}.${side}`, { answered, missed });
}

function* draw(side, cells) {
  for (const [hour, state] of cells.entries()) {
    const [x, y] = [hour * CELL + 1, LANES[side]];
    if (state === ".") yield shape("path", { class: "none", d: `M${x + 3} ${y + HEIGHT / 2}h3` });
    else if (state === "a") yield shape("rect", { class: "held", x, y, width: CELL - 2, height: HEIGHT, rx: 2 });
    else if (state === "w") yield shape("rect", { class: "open", x: x + 1, y: y + 1, width: CELL - 4, height: HEIGHT - 2, rx: 1 });
    else if (state !== " ") {
      yield shape("rect", { class: "missed", x: x + 1, y: y + 1, width: CELL - 4, height: HEIGHT - 2 });
      if (state === "m") yield shape("path", { class: "missed", d: `M${x + 1} ${y + HEIGHT - 1}L${x + CELL - 3} ${y + 1}` });
    }
  }
}

function shape(name, attributes) {
  const node = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, `${value}`));
  return node;
}

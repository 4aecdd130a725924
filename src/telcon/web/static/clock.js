/**
 * Times in words. The node's clock is the one that counts; a device that goes wrong by a minute
 * must not show a call that began in the future.
 */
import { locale, say, sayCount } from "./words.js";

const hour = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short" });
const date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const dateYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const longDay = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const longDayYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const shortDay = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric" });
const DAY_MS = 86_400_000;

let offsetMs = 0; // node's clock minus this device's

/** @param {number} nowUs the node's clock, as the newest snapshot says */
export function setClock(nowUs) {
  offsetMs = nowUs / 1000 - Date.now();
}

/** The node's clock in microseconds. */
export function nowUs() {
  return (Date.now() + offsetMs) * 1000;
}

/** `09:54`; @param {number} us */
export function clockTime(us) {
  return hour.format(us / 1000);
}

/** `today 09:54`, `Thu 23:10`, `2 Nov 18:31`; @param {number} us */
export function when(us) {
  const then = new Date(us / 1000);
  const today = new Date(nowUs() / 1000);
  const days = Math.round((midnight(today) - midnight(then)) / DAY_MS);
  const time = hour.format(then);
  const near = { 0: "time.today", 1: "time.yesterday", "-1": "time.tomorrow" }[days];
  if (near) return bare(say(near, { time }));
  if (days > 1 && days < 7) return `${weekday.format(then)} ${time}`;
  const day = then.getFullYear() === today.getFullYear() ? date : dateYear;
  return `${day.format(then)} ${time}`;
}

/** `14 March 2025`; @param {number} us */
export function day(us) {
  return longDayYear.format(us / 1000);
}

/** `Thu 19 Nov`; @param {number} us */
export function dayName(us) {
  return shortDay.format(us / 1000);
}

/** The day as a heading: `today`, `yesterday`, `Thursday 19 November`; @param {number} us */
export function dayHeading(us) {
  const then = new Date(us / 1000);
  const days = Math.round((midnight(new Date(nowUs() / 1000)) - midnight(then)) / DAY_MS);
  if (days === 0 || days === 1) return say(days ? "time.day.yesterday" : "time.day.today");
  const isThisYear = then.getFullYear() === new Date(nowUs() / 1000).getFullYear();
  return (isThisYear ? longDay : longDayYear).format(then);
}

/** `today` is left out for times of today; @param {number} us */
export function since(us) {
  return midnight(new Date(us / 1000)) === midnight(new Date(nowUs() / 1000)) ? clockTime(us) : when(us);
}

/** `21 min`, in the largest unit that is not zero; @param {number} us */
export function lasting(us) {
  const s = Math.max(0, Math.round(us / 1e6));
  if (s < 60) return sayCount("time.seconds", s);
  if (s < 3600) return sayCount("time.minutes", Math.round(s / 60));
  if (s < 86_400) return sayCount("time.hours", Math.floor(s / 3600));
  return sayCount("time.days", Math.floor(s / 86_400));
}

/** `12:47` or `1:02:03`; @param {number} us */
export function timer(us) {
  const s = Math.max(0, Math.floor(us / 1e6));
  const two = (/** @type {number} */ n) => `${n}`.padStart(2, "0");
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s < 3600 ? rest : `${Math.floor(s / 3600)}:${rest}`;
}

/** The greeting that fits the hour. */
export function greeting() {
  const now = new Date(nowUs() / 1000).getHours();
  return say(`greeting.${now < 5 || now >= 18 ? "evening" : now < 12 ? "morning" : "afternoon"}`);
}

/** Says that something is so only when it has been so for a while: what heals at once is no news. */
export class Lasting {
  #from = 0;
  #us;

  /** @param {number} us how long it must have lasted */
  constructor(us) {
    this.#us = us;
  }

  /** @param {boolean} is whether it is so @param {number} now */
  of(is, now) {
    this.#from = is ? this.#from || now : 0;
    return is && now - this.#from >= this.#us;
  }
}

/** Without isolates: a time is put into other sentences, which isolate it as a whole. @param {string} words */
function bare(words) {
  return words.replace(/[\u2068\u2069]/gu, "");
}

/** @param {Date} day */
function midnight(day) {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
}

/**
 * The line as a picture: our dot, their dot, the stroke between them. Logo, status and call in one.
 * Solid when up; dashed and hollow when down; a pulse from the side that rings; thick with the voice
 * while live, with a mark on the stroke for what both have signed; cut when frozen.
 */
const NS = "http://www.w3.org/2000/svg";
const SIZES = {
  large: { width: 300, height: 32, dot: 7, gap: 20, pulse: 6, halo: 13 },
  open: { width: 170, height: 32, dot: 0, gap: -400, pulse: 6, halo: 13 }, // as long as there is room
  mini: { width: 58, height: 14, dot: 4.5, gap: 11, pulse: 3, halo: 6 },
};

export default class LinePicture {
  #svg;

  /**
   * @param {SVGElement} svg an empty one of class `line-picture`
   * @param {"large"|"open"|"mini"} [size] open is without dots: faces stand at the ends
   */
  constructor(svg, size = "large") {
    this.#svg = svg;
    const { width, height, dot, gap, pulse, halo } = SIZES[size];
    const middle = height / 2;
    const from = dot + 1.5 + gap;
    const to = width - from;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-hidden", "true"); // what it shows stands in words beside it
    svg.style.setProperty("--way", `${to - from}px`);
    svg.style.setProperty("--gap", `${(to - from) * 0.42} ${(to - from) * 0.16}`);
    add(svg, "path", { class: "stroke", d: `M${from} ${middle}H${to}` });
    if (dot) {
      add(svg, "circle", { class: "dot ours", cx: dot + 1.5, cy: middle, r: dot });
      add(svg, "circle", { class: "dot theirs", cx: width - dot - 1.5, cy: middle, r: dot });
    }
    const moving = add(svg, "g", { class: "moving" });
    add(moving, "path", { class: "run", d: `M${from} ${middle}H${to}`, pathLength: 1 });
    const point = add(moving, "g", { class: "pulse" });
    add(point, "circle", { class: "halo", cx: from, cy: middle, r: halo });
    add(point, "circle", { cx: from, cy: middle, r: pulse });
    add(svg, "path", { class: "cut", d: `M${width / 2} ${middle - 7}V${middle + 7}` });
    if (size !== "mini") drawSeal(svg, width / 2, middle);
  }

  /**
   * @param {"up"|"down"|"ring-ours"|"ring-theirs"|"live"|"ended"|"frozen"} state
   * @param {""|"signed"|"unsigned"} [mark]
   */
  show(state, mark = "") {
    set(this.#svg, "data-state", state);
    if (mark) set(this.#svg, "data-mark", mark);
    else this.#svg.removeAttribute("data-mark");
  }

  /** @param {number} loud how loud the line is now, 0 to 1 */
  voice(loud) {
    this.#svg.style.setProperty("--voice", loud.toFixed(2));
  }
}

/** A ring with a tick in it, or with a point: signed by both, or not. */
function drawSeal(svg, x, y) {
  const mark = add(svg, "g", { class: "seal" });
  add(mark, "circle", { cx: x, cy: y, r: 12 });
  add(mark, "path", { class: "tick", d: `M${x - 5} ${y}l3.6 4 6.4-8` });
  add(mark, "path", { class: "query", d: `M${x - 5} ${y}h10` });
}

function add(parent, name, attributes) {
  const node = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, `${value}`));
  parent.append(node);
  return node;
}

function set(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// @ts-check
"use strict";
// Sliders on the numbers that the loss is differentiated by: every value on the page is computed anew from the formulas
// of the derivation, which Python has translated to the program that stands in the page.
(() => {
  /** @typedef {[register: number, places: number[]]} Operand  where an operand's numbers are found */
  /**
   * @typedef {{ name: string, shape: number[], names: string[], start: number[], code: any[][], bars: [string, number][], shown: number[],
   *   shapes: number[][], first: number }} Touch
   */

  /** @type {Record<string, (...x: number[]) => number>} */
  const FUNCTIONS = {
    exp: Math.exp,
    log: Math.log,
    sigmoid: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
    tanh: Math.tanh,
    sinh: Math.sinh,
    cosh: Math.cosh,
    sin: Math.sin,
    cos: Math.cos,
    sqrt: Math.sqrt,
    abs: Math.abs,
    sign: Math.sign,
    maximum: Math.max,
    minimum: Math.min,
    where: (c, x, y) => (c ? x : y),
    less: (x, y) => Number(x < y),
    less_equal: (x, y) => Number(x <= y),
    greater: (x, y) => Number(x > y),
    greater_equal: (x, y) => Number(x >= y),
    equal: (x, y) => Number(x === y),
    not_equal: (x, y) => Number(x !== y),
  };
  /** @type {Record<string, (x: number[]) => number>} */
  const FOLDS = {
    sum: (x) => x.reduce((a, b) => a + b, 0),
    max: (x) => Math.max(...x),
    min: (x) => Math.min(...x),
  };

  /**
   * Run the program: a list of numbers for each instruction. What cannot be computed here is an error.
   * @param {any[][]} code
   * @param {number[]} input
   * @returns {number[][]}
   */
  function run(code, input) {
    /** @type {number[][]} */
    const registers = [];
    /** @param {Operand[]} operands @param {(...x: number[]) => number} f */
    const each = (operands, f) =>
      operands[0][1].map((_, i) => f(...operands.map(([register, places]) => registers[register][places[i]])));
    for (const [kind, ...rest] of code) registers.push(value(kind, rest));
    return registers;

    /** @param {string} kind @param {any[]} rest @returns {number[]} */
    function value(kind, rest) {
      if (kind === "input") return rest[0].map((/** @type {number} */ place) => input[place]);
      if (kind === "numbers") return rest[0];
      if (kind === "places") return rest[1].map((/** @type {number} */ place) => registers[rest[0]][place]);
      if (kind === "combination") return each(rest[1], (...x) => x.reduce((sum, one, i) => sum + rest[0][i] * one, 0));
      if (kind === "product") {
        const [coefficient, exponents, truths, operands] = rest;
        return each(operands, (...x) => {
          if (x.some((one, i) => truths[i] && !one)) return 0; // even of nan
          return x.reduce((product, one, i) => (truths[i] ? product : product * one ** exponents[i]), coefficient);
        });
      }
      if (kind === "call" && FUNCTIONS[rest[0]]) return each(rest[1], FUNCTIONS[rest[0]]);
      if (kind === "along") return along(rest[0], registers[rest[1]], rest[2]);
      throw new Error(`unknown: ${kind} ${rest[0]}`);
    }
  }

  /** @param {string} name @param {number[]} numbers @param {number[][]} groups @returns {number[]} */
  function along(name, numbers, groups) {
    const taken = groups.map((places) => places.map((place) => numbers[place]));
    if (name !== "softmax") return taken.map(FOLDS[name]);
    const result = new Array(numbers.length);
    taken.forEach((x, i) => {
      const largest = Math.max(...x);
      const sum = FOLDS.sum(x.map((one) => Math.exp(one - largest)));
      x.forEach((one, j) => (result[groups[i][j]] = Math.exp(one - largest) / sum));
    });
    return result;
  }

  /** A number with three digits, as Python writes it. @param {number} x @returns {string} */
  function written(x) {
    if (!Number.isFinite(x)) return String(x).replace("Infinity", "inf").replace("NaN", "nan");
    if (Math.abs(x) >= 1000 && Math.abs(x) < 1e6) return x.toFixed(0);
    const [digits, exponent] = x.toExponential(2).split("e");
    if (Number(exponent) >= -4 && Number(exponent) < 3) return String(Number(x.toPrecision(3)));
    const size = String(Math.abs(Number(exponent))).padStart(2, "0");
    return `${Number(digits)}e${exponent[0]}${size}`;
  }

  /** Numbers in brackets, by rows. @param {number[]} numbers @param {number[]} shape @returns {string} */
  function bracketed(numbers, shape) {
    if (!shape.length) return written(numbers[0]);
    const inside = numbers.length / shape[0];
    const rows = Array.from({ length: shape[0] }, (_, i) => numbers.slice(i * inside, (i + 1) * inside));
    return `[${rows.map((row) => bracketed(row, shape.slice(1))).join(" ")}]`;
  }

  /** A bar from the middle, to the left where the number is negative. @returns {SVGSVGElement} */
  function bar() {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "-1 0 2 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(svg.namespaceURI ?? "", "rect"));
    return /** @type {SVGSVGElement} */ (svg);
  }

  const data = document.querySelector("#touch");
  const template = /** @type {HTMLTemplateElement | null} */ (document.querySelector("template#touched"));
  if (!data || !template) return;
  const /** @type {Touch} */ touch = JSON.parse(data.textContent ?? "");
  const roots = [...document.querySelectorAll(".derivation")];
  const spans = roots.flatMap((root) =>
    [...root.querySelectorAll(".value")].filter((span) => !span.closest(".lemma")),
  );
  const input = [...touch.start];
  try {
    run(touch.code, input);
  } catch {
    return; // a function that is not known here: the page stays as it is
  }
  if (spans.length !== touch.shown.length) return;

  const panel = /** @type {HTMLElement} */ (template.content.querySelector(".touch"));
  const table = /** @type {HTMLTableElement} */ (panel.querySelector("table"));
  const head = table.createTHead().insertRow();
  for (const name of ["", "", ...touch.bars.map(([name]) => name)]) {
    const cell = document.createElement(name ? "th" : "td");
    cell.textContent = name;
    if (name) cell.colSpan = 2;
    head.append(cell);
  }
  const body = table.createTBody();
  const rows = touch.names.map((name, i) => {
    const row = body.insertRow();
    const label = document.createElement("th");
    const slider = document.createElement("input");
    const number = document.createElement("output");
    Object.assign(slider, { type: "range", step: "any", min: touch.start[i] - 5, max: touch.start[i] + 5 });
    slider.value = String(touch.start[i]);
    slider.setAttribute("aria-label", name);
    label.append(name, " ", number);
    row.append(label);
    row.insertCell().append(slider);
    slider.addEventListener("input", () => {
      input[i] = Number(slider.value);
      follow();
    });
    const bars = touch.bars.map(() => {
      const drawn = bar();
      row.insertCell().append(drawn);
      return { rectangle: /** @type {Element} */ (drawn.firstElementChild), text: row.insertCell() };
    });
    return { slider, number, bars };
  });
  panel.querySelector("button")?.addEventListener("click", () => {
    rows.forEach(({ slider }, i) => (slider.value = String((input[i] = touch.start[i]))));
    follow();
  });

  /** Write all values anew. */
  function follow() {
    const registers = run(touch.code, input);
    rows.forEach(({ number }, i) => {
      number.textContent = minus(written(input[i]));
    });
    touch.bars.forEach(([, register], column) => {
      const numbers = registers[register];
      const most = Math.max(1, ...numbers.map(Math.abs));
      rows.forEach(({ bars }, i) => {
        const { rectangle, text } = bars[column];
        rectangle.setAttribute("x", String(Math.min(0, numbers[i] / most)));
        rectangle.setAttribute("width", String(Math.abs(numbers[i] / most)));
        rectangle.setAttribute("height", "1");
        text.textContent = minus(written(numbers[i]));
        text.title = String(numbers[i]);
      });
    });
    spans.forEach((span, i) => {
      const numbers = registers[touch.shown[i]];
      span.textContent = `= ${minus(bracketed(numbers, touch.shapes[i]))}`;
      span.setAttribute("title", numbers.join(" "));
    });
    const detail = { [touch.name]: `= ${minus(bracketed(input, touch.shape))}` };
    document.dispatchEvent(new CustomEvent("values", { detail }));
  }

  /** @param {string} text @returns {string} */
  function minus(text) {
    return text.replaceAll("-", "−");
  }

  follow();
  document.querySelector(".player")?.prepend(panel);
})();

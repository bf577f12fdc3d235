// @ts-check
"use strict";
// Sliders on the numbers that the loss is differentiated by: every value on the page is computed anew from the formulas
// of the derivation, which Python has translated to the program that stands in the page.
(() => {
  /** @typedef {[register: number, places: number[]]} Operand  where an operand's numbers are found */
  /**
   * @typedef {{ name: string, shape: number[], names: string[], start: number[], code: any[][],
   *   bars: [string, number][], shown: number[], shapes: number[][], labels?: { name: string, shape: number[], start: number[], groups: number[][] | null },
   *   sides?: Side[], prediction?: string }} Touch
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

  const REACH = 5.5; // of a slider, each way
  const WRONG = 5; // how far off a wrong answer is: its place is not at the very edge of the maps

  const data = document.querySelector("#touch");
  const template = /** @type {HTMLTemplateElement | null} */ (document.querySelector("template#touched"));
  if (!data || !template) return;
  const /** @type {Touch} */ touch = JSON.parse(data.textContent ?? "");
  const roots = [...document.querySelectorAll(".derivation")];
  const spans = roots.flatMap((root) =>
    [...root.querySelectorAll(".value")].filter((span) => !span.closest(".lemma")),
  );
  const said = /** @type {HTMLTemplateElement} */ (document.querySelector("template#words")).content;
  const words = Object.fromEntries(
    [...said.querySelectorAll("span")].map((word) => [word.dataset.word ?? "", word.textContent ?? ""]),
  );
  const targets = touch.labels?.start ?? [];
  const input = [...touch.start, ...targets];
  const sides = touch.sides ?? [];
  try {
    for (const { code } of [touch, ...sides]) run(code, input);
  } catch {
    return; // a function that is not known here: the page stays as it is
  }
  if (spans.length !== touch.shown.length) return;

  // What stands beside the sliders: a register of the page's own program, or of that of one of the two losses.
  /** @typedef {{ name: string, of: string, side: number, register: number, slope: boolean }} Column */
  /** @type {Column[]} */
  const own = touch.bars.map(([name, register], i) => ({ name, of: "", side: -1, register, slope: !i }));
  const both = sides.map(({ key, gradient }, side) => ({
    name: touch.bars[0][0].replace(/∂.+\//, "∂L/"),
    of: words[key],
    side,
    register: gradient,
    slope: true,
  }));
  both.sort((a, b) => Number(sides[b.side].own) - Number(sides[a.side].own));
  const predicted = { name: touch.prediction ?? "", of: words.prediction, side: 0, slope: false };
  const columns = sides.length
    ? [
        ...(sides.some((side) => side.own) ? [] : own.slice(0, 1)),
        ...both,
        { ...predicted, register: sides[0].prediction },
      ]
    : own;

  const panel = /** @type {HTMLDetailsElement} */ (template.content.querySelector(".touch"));
  const table = /** @type {HTMLTableElement} */ (panel.querySelector("table"));
  const head = table.createTHead().insertRow();
  head.insertCell().colSpan = 2;
  for (const { name, of } of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.append(...(of ? [of, document.createElement("br"), name] : [name]));
    head.append(cell);
  }
  const body = table.createTBody();

  /** A cell for each column: a bar and its number. @param {HTMLTableRowElement} row @param {Column[]} shown */
  function bars(row, shown) {
    return columns.map((column) => {
      const cell = row.insertCell();
      if (!shown.includes(column)) return null;
      const [drawn, text] = [bar(), document.createElement("span")];
      cell.append(drawn, text);
      return { rectangle: /** @type {Element} */ (drawn.firstElementChild), text };
    });
  }

  /** @param {ReturnType<typeof bars>[number]} cells @param {number} x @param {number} most */
  function put(cells, x, most) {
    if (!cells) return;
    const part = Math.max(-1, Math.min(1, x / most)) || 0;
    cells.rectangle.setAttribute("x", String(Math.min(0, part)));
    cells.rectangle.setAttribute("width", String(Math.abs(part)));
    cells.rectangle.setAttribute("height", "1");
    cells.text.textContent = minus(written(x));
    cells.text.title = String(x);
  }

  const rows = touch.names.map((name, i) => {
    const row = body.insertRow();
    const label = document.createElement("th");
    const slider = document.createElement("input");
    const number = document.createElement("output");
    label.scope = "row";
    Object.assign(slider, { type: "range", step: "any", min: touch.start[i] - REACH, max: touch.start[i] + REACH });
    slider.value = String(touch.start[i]);
    slider.setAttribute("aria-label", name);
    label.append(name, " ", number);
    row.append(label);
    row.insertCell().append(slider);
    slider.addEventListener("input", () => {
      input[i] = Number(slider.value);
      follow();
    });
    return { slider, number, bars: bars(row, columns) };
  });
  const sums = (sides.length ? ["loss", "length"] : []).map((key) => {
    const row = (table.tFoot ?? table.createTFoot()).insertRow();
    const label = document.createElement("th");
    Object.assign(label, { scope: "row", colSpan: 2, textContent: words[key] });
    row.append(label);
    return bars(row, both);
  });

  // The label: a class for each row, or yes or no for each number.
  const labels = /** @type {HTMLElement} */ (panel.querySelector(".labels"));
  const groups = touch.labels?.groups ?? targets.map((_, i) => [i]);
  const choices = groups.map((group, i) => {
    const label = document.createElement("label");
    const choice = document.createElement("select");
    const several = groups.length > 1 ? `[${i}]` : "";
    const classes = touch.labels?.groups ? group.map((_, k) => k) : [0, 1];
    for (const k of classes) choice.add(new Option(String(k)));
    label.append(`${words[touch.labels?.groups ? "class" : "target"]} ${touch.labels?.name}${several} `, choice);
    labels.append(label);
    choice.addEventListener("change", () => {
      set(group, choice.selectedIndex);
      follow();
    });
    return choice;
  });

  /** Make a row say another class. @param {number[]} group @param {number} k */
  function set(group, k) {
    const binary = !touch.labels?.groups;
    group.forEach((place, i) => (input[touch.start.length + place] = binary ? k : Number(i === k)));
  }

  /** @param {number[]} numbers  for the sliders */
  function slide(numbers) {
    rows.forEach(({ slider }, i) => {
      slider.value = String(numbers[i]);
      input[i] = numbers[i];
    });
    follow();
  }
  const [reset, wrong] = ["reset", "wrong"].map((name) =>
    /** @type {HTMLButtonElement | null} */ (panel.querySelector(`button[name=${name}]`)),
  );
  reset?.addEventListener("click", () => {
    input.splice(touch.start.length, targets.length, ...targets);
    groups.forEach((group, i) => {
      const one = group.findIndex((place) => targets[place]);
      choices[i].selectedIndex = touch.labels?.groups ? one : Number(targets[group[0]]);
    });
    slide(touch.start);
  });
  wrong?.addEventListener("click", () => {
    slide(mistaken(input.slice(0, touch.start.length)));
  });

  /**
   * Numbers that stand for a wrong answer: the greatest for the first other class, the least for the rest.
   * @param {number[]} numbers
   * @returns {number[]}
   */
  function mistaken(numbers) {
    const result = [...numbers];
    for (const group of groups) {
      const right = group.filter((place) => input[touch.start.length + place]);
      const other = group.find((place) => !right.includes(place));
      for (const place of group) result[place] = touch.start[place] - WRONG;
      if (other !== undefined) result[other] = touch.start[other] + WRONG;
    }
    return result;
  }

  const field = /** @type {HTMLElement | null} */ (panel.querySelector(".surface"));
  const one = groups[0]?.find((place) => targets[place]) ?? 0;
  const redraw =
    field &&
    surface(field, {
      run,
      input,
      sides,
      names: touch.names,
      ranges: touch.start.map((x) => [x - REACH, x + REACH]),
      axes: [(groups[0].length > 1 ? groups[0] : touch.names.map((_, i) => i)).find((i) => i !== one) ?? 1, one],
      words,
      written: (x) => minus(written(x)),
      move: (places, values) => {
        const numbers = input.slice(0, touch.start.length);
        places.forEach((place, k) => (numbers[place] = values[k]));
        slide(numbers);
      },
    });
  let waiting = 0; // for the next picture; the maps take longer than a slider's step

  /** Write all values anew. */
  function follow() {
    const registers = [touch, ...sides].map(({ code }) => run(code, input));
    const numbers = columns.map(({ side, register }) => registers[side + 1][register]);
    const most = Math.max(1, ...numbers.filter((_, i) => columns[i].slope).flat().map(Math.abs));
    rows.forEach(({ number, bars }, i) => {
      number.textContent = minus(written(input[i]));
      bars.forEach((cells, k) => put(cells, numbers[k][i], columns[k].slope ? most : 1));
    });
    for (const [row, cells] of sums.entries()) {
      const values = columns.map(({ side }, k) =>
        row ? Math.hypot(...numbers[k]) : side < 0 ? 0 : registers[side + 1][sides[side].loss][0],
      );
      const greatest = Math.max(1, ...values.filter((_, k) => cells[k]));
      cells.forEach((cell, k) => put(cell, values[k], greatest));
    }
    spans.forEach((span, i) => {
      const numbers = registers[0][touch.shown[i]];
      span.textContent = `= ${minus(bracketed(numbers, touch.shapes[i]))}`;
      span.setAttribute("title", numbers.join(" "));
    });
    const [given, target] = [input.slice(0, touch.start.length), input.slice(touch.start.length)];
    const detail = { [touch.name]: `= ${minus(bracketed(given, touch.shape))}` };
    if (touch.labels) detail[touch.labels.name] = `= ${minus(bracketed(target, touch.labels.shape))}`;
    document.dispatchEvent(new CustomEvent("values", { detail }));
    if (!redraw || !panel.open || waiting) return;
    waiting = requestAnimationFrame(() => {
      waiting = 0;
      redraw();
    });
  }

  /** @param {string} text @returns {string} */
  function minus(text) {
    return text.replaceAll("-", "−");
  }

  reset?.click();
  panel.addEventListener("toggle", () => panel.open && redraw?.());
  document.querySelector(".player")?.prepend(panel);

  // The page in its other language has another address, and what is set here goes along in it.
  const controls = /** @type {(HTMLInputElement | HTMLSelectElement)[]} */ ([...panel.querySelectorAll("input, select")]);
  const before = controls.map(({ value }) => value).join();
  const kept = new URLSearchParams(location.search).get("tried")?.split(",");
  document.addEventListener("leave", (event) => {
    const now = controls.map(({ value }) => value).join();
    if (panel.open || now !== before) /** @type {CustomEvent} */ (event).detail.set("tried", now);
  });
  if (kept?.length === controls.length) {
    panel.open = true;
    controls.forEach((control, i) => (control.value = kept[i]));
    for (const control of controls) {
      if (control instanceof HTMLSelectElement && control.selectedIndex < 0) control.selectedIndex = 0;
      control.dispatchEvent(new Event(control instanceof HTMLSelectElement ? "change" : "input"));
    }
  }
})();

// Draws a page of reports. Names come from reports and are set as text only, never as markup.
"use strict";
(() => {
  const { runs, parts, peParts } = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = n => n.toLocaleString("en", { maximumFractionDigits: n < 100 ? 3 : 0 }).replaceAll(",", "\u202f");
  const energy = fj => {
    const [unit, size] = [["J", 1e15], ["mJ", 1e12], ["µJ", 1e9]].find(([, size]) => fj >= size) ?? ["nJ", 1e6];
    return `${(fj / size).toFixed(3)} ${unit}`;
  };
  const el = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const hue = i => `hsl(${(i * 137.5 + 205) % 360} 52% ${dark.matches ? 58 : 52}%)`;

  const tip = document.getElementById("tip");
  const show = (event, text) => {
    tip.style.display = text ? "block" : "none";
    if (!text) return;
    tip.textContent = text;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
  };

  // Kinds of figures: [name, colour, value of a layer's or total's work].
  const causes = [["DPU", "#3f7fd1", w => w.elapsed.dpu], ["VEC", "#8a63c9", w => w.elapsed.vec],
    ["DMA not hidden", "#d98032", w => w.elapsed.dma], ["idle", "#98a2b3", w => w.elapsed.idle]];
  const limits = [["PEs", "#3f7fd1", w => w.limits.pes], ["SRAM", "#2f9e77", w => w.limits.sram],
    ["DRAM bandwidth", "#c4533f", w => w.limits.dram_bandwidth], ["DRAM latency", "#d98032", w => w.limits.dram_latency],
    ["vector engine", "#8a63c9", w => w.limits.vec], ["dispatch", "#98a2b3", w => w.limits.dispatch]];
  const warm = i => `hsl(${205 + i * 8} 55% ${44 + (i % 3) * 8}%)`;
  const rest = ["#2f9e77", "#79b043", "#c9a227", "#e0b94c", "#c4533f", "#6b7a94", "#98a2b3"];
  const partName = part => ({ if_rf: "input registers", fl_rf: "filter registers", of_rf: "output registers", ppe: "PPE", vec: "VEC",
    sram_read: "SRAM read", sram_write: "SRAM written", dram: "DRAM", pe_clock: "PE clock", pe_leakage: "PE leakage",
    sram_leakage: "SRAM leakage" })[part] ?? part.replaceAll("_", " ");
  const energies = parts.map((part, i) =>
    [partName(part), i < peParts ? warm(i) : rest[(i - peParts) % rest.length], w => w.energy_fj[part]]);
  const bytes = [["DRAM read", "#c4533f", w => w.bytes.dram_read], ["DRAM written", "#e08a6d", w => w.bytes.dram_write],
    ["SRAM read", "#2f9e77", w => w.bytes.sram_read], ["SRAM written", "#85c9ab", w => w.bytes.sram_write]];
  const measures = { cycles: [causes, n => number(n) + " cycles"], energy: [energies, energy],
    bytes: [bytes, n => number(n) + " bytes"], limits: [limits, n => number(n) + " cycles"] };

  // Text at most so wide, in the page's font for drawings; what is too long loses its middle.
  const ruler = document.createElement("canvas").getContext("2d");
  const widthOf = text => { ruler.font = "12px system-ui, sans-serif"; return ruler.measureText(text).width; };
  function fitted(text, width) {
    for (let keep = text.length; keep > 4 && widthOf(text) > width;) {
      keep -= 2;
      const characters = [...text], half = Math.floor(keep / 2);
      const short = characters.slice(0, half).join("") + "…" + characters.slice(-half).join("");
      if (widthOf(short) <= width) return short;
    }
    return text;
  }

  // Horizontal stacked bars: rows of { label, work, title }, where a title stands above the row it comes with.
  function bars(host, rows, [kinds, format]) {
    const width = 1160, high = 15;
    const left = Math.min(Math.max(60, ...rows.map(row => widthOf(row.label))) + 12, 380), room = width - left - 130;
    const totals = rows.map(row => kinds.reduce((sum, [, , value]) => sum + value(row.work), 0));
    const most = Math.max(1, ...totals);
    let y = 2;
    const drawing = svg("svg", {});
    const label = (x, full, room, attributes) => {
      const text = svg("text", { x, y: y + 12, ...attributes }, fitted(full, room));
      text.append(svg("title", {}, full));
      return text;
    };
    rows.forEach((row, i) => {
      if (row.title !== undefined) {
        y += i > 0 ? 5 : 0;
        drawing.append(label(0, row.title, width, { class: "title" }));
        y += high + 2;
      }
      const group = svg("g", { class: "row", "data-label": row.label, "data-total": totals[i] });
      group.append(label(left - 8, row.label, left - 12, { "text-anchor": "end" }));
      let x = left;
      for (const [name, colour, value] of kinds) {
        const w = value(row.work) / most * room;
        if (w <= 0) continue;
        const bar = svg("rect", { x, y, width: Math.max(w, .3), height: high, fill: colour });
        const heading = row.title === undefined && !row.of ? row.label : `${row.of} · ${row.label}`;
        bar.addEventListener("mousemove", e =>
          show(e, `${heading}\n${name}: ${format(value(row.work))} (${(100 * value(row.work) / totals[i]).toFixed(1)} %)`));
        bar.addEventListener("mouseleave", () => show());
        group.append(bar);
        x += w;
      }
      group.append(svg("text", { x: x + 6, y: y + 12, class: "soft" }, format(totals[i])));
      drawing.append(group);
      y += high + 4;
    });
    drawing.setAttribute("viewBox", `0 0 ${width} ${y + 2}`);
    const legend = el("div", undefined, { class: "legend" });
    for (const [name, colour, value] of kinds) {
      if (!rows.some(row => value(row.work) > 0)) continue;
      const item = el("span");
      const mark = el("i");
      mark.style.background = colour;
      item.append(mark, name);
      legend.append(item);
    }
    host.replaceChildren(drawing, legend);
  }

  const overall = runs.map(run => ({ label: run.name, work: run.report.total }));
  bars(document.querySelector("#causes .chart"), overall, measures.cycles);
  bars(document.querySelector("#energy .chart"), overall, measures.energy);

  // The same layer of all runs together: of layers of one name the first goes with the first, the second with the
  // second. Layers that a run has alone stand behind the one that they follow there.
  const several = runs.length > 1;
  const groups = [];
  runs.forEach((run, r) => {
    const seen = new Map();
    let after = -1;
    for (const layer of run.report.layers) {
      const ordinal = (seen.get(layer.name) ?? 0) + 1;
      seen.set(layer.name, ordinal);
      let at = groups.findIndex(group => group.name === layer.name && group.ordinal === ordinal);
      if (at < 0) {
        at = after + 1;
        groups.splice(at, 0, { name: layer.name, ordinal, layers: [] });
      }
      groups[at].layers[r] = layer;
      after = at;
    }
  });
  const often = new Set(groups.filter(group => group.ordinal > 1).map(group => group.name));
  const title = group => often.has(group.name) ? `${group.name} (${group.ordinal})` : group.name;
  function drawLayers(measure) {
    const rows = groups.flatMap(group => runs.flatMap((run, r) => {
      const work = group.layers[r];
      if (!work) return [];
      if (!several) return [{ label: title(group), work }];
      const first = group.layers.findIndex(layer => layer) === r;
      return [{ label: run.name, work, of: title(group), title: first ? title(group) : undefined }];
    }));
    bars(document.querySelector("#layers .chart"), rows, measures[measure]);
  }
  const lonely = groups.filter(group => runs.some((run, r) => !group.layers[r]));
  if (lonely.length) {
    const text = `Layers that not all runs have (${lonely.length}): ${lonely.slice(0, 12).map(title).join(", ")}${lonely.length > 12 ? ", …" : "."}`;
    document.querySelector("#layers h2").after(el("p", text, { class: "sub", id: "unmatched" }));
  }
  function choice(host, labels, chosen, act) {
    const buttons = labels.map((label, i) => el("button", label, { "aria-pressed": i === chosen }));
    buttons.forEach((button, i) => button.addEventListener("click", () => {
      buttons.forEach((other, j) => other.setAttribute("aria-pressed", i === j));
      act(i);
    }));
    host.replaceChildren(...buttons);
  }
  choice(document.querySelector("#layers .controls"), ["cycles by cause", "energy by part", "bytes", "cycles by limit"], 0,
    i => drawLayers(Object.keys(measures)[i]));
  drawLayers("cycles");
  drawTables({ runs, groups, title, el, svg, number, energy, choice, show });

  // Timeline and SRAM map share a window of time.
  const timed = runs.filter(run => run.report.timeline);
  const lanes = document.querySelector("#timeline canvas"), map = document.querySelector("#sram canvas");
  if (!timed.length) {
    for (const canvas of [lanes, map]) canvas.replaceWith(el("p", "The reports carry no timeline.", { class: "sub" }));
    document.body.dataset.drawn = dark.matches ? "dark" : "light";
    return;
  }
  let run = timed[0], from = 0, to = 1;
  const left = 84;
  const INDEX = 0, KIND = 1, ENGINE = 2, LAYER = 3, START = 4, END = 5, WAIT = 6, DRAM = 7, SRAM = 8, MACS = 9;

  function prepare(canvas, height) {
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = height + "px";
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    return [pen, width];
  }
  const place = (cycle, width) => left + (cycle - from) / (to - from) * (width - left);
  function axis(pen, width, height) {
    const step = 10 ** Math.floor(Math.log10((to - from) / 4)), many = (to - from) / step;
    const stride = step * (many > 20 ? 5 : many > 8 ? 2 : 1);
    pen.textAlign = "center";
    for (let t = Math.ceil(from / stride) * stride; t <= to; t += stride) {
      const x = place(t, width);
      pen.fillStyle = css("--line");
      pen.fillRect(x, 0, 1, height - 16);
      pen.fillStyle = css("--soft");
      pen.fillText(number(t), Math.min(x, width - 30), height - 8);
    }
  }
  // Layers that overlap in time stand below each other, in as few lanes as that takes.
  const lanesOf = new Map();
  function layerLanes(run) {
    if (lanesOf.has(run)) return lanesOf.get(run);
    const ends = [], places = [];
    const order = run.report.layers.map((layer, i) => [layer, i]).sort(([a], [b]) => a.start - b.start || a.end - b.end);
    for (const [layer, i] of order) {
      let lane = ends.findIndex(end => end <= layer.start);
      if (lane < 0) lane = ends.length < 6 ? ends.length : 5;
      ends[lane] = Math.max(ends[lane] ?? 0, layer.end);
      places[i] = lane;
    }
    lanesOf.set(run, places);
    return places;
  }
  let laneBoxes = [], mapBoxes = [];
  function drawLanes() {
    const engines = run.report.engines.map((engine, i) => [engine, i]).filter(([engine, i]) => i > 0 && engine.tasks > 0);
    const places = layerLanes(run), high = 26, layerHigh = 18, layersHigh = (Math.max(0, ...places) + 1) * (layerHigh + 2);
    const height = layersHigh + 6 + engines.length * (high + 4) + 20;
    const [pen, width] = prepare(lanes, height);
    axis(pen, width, height);
    laneBoxes = [];
    const box = (x0, x1, y, h, colour, text, label) => {
      if (x1 < left || x0 > width) return;
      const x = Math.max(x0, left), w = Math.max(Math.min(x1, width) - x, .6);
      pen.fillStyle = colour;
      pen.fillRect(x, y, w, h);
      if (w > 46) {
        pen.save();
        pen.beginPath();
        pen.rect(x, y, w - 3, h);
        pen.clip();
        pen.fillStyle = "#fff";
        pen.textAlign = "left";
        pen.fillText(label, x + 4, y + h / 2);
        pen.restore();
      }
      laneBoxes.push([x, x + Math.max(w, 2), y, y + h, text]);
    };
    const name = (text, y) => { pen.fillStyle = css("--ink"); pen.textAlign = "left"; pen.fillText(text, 0, y); };
    name("layer", 2 + layerHigh / 2);
    run.report.layers.forEach((layer, i) => box(place(layer.start, width), place(layer.end, width),
      2 + places[i] * (layerHigh + 2), layerHigh, hue(i),
      () => `${layer.name} (${layer.op})\n${layer.location}\n${number(layer.cycles)} cycles from ${number(layer.start)}`, layer.name));
    const rowOf = new Map(engines.map(([, i], row) => [i, layersHigh + 8 + row * (high + 4)]));
    engines.forEach(([engine, i]) => name(`${engine.name} ${(100 * engine.busy / Math.max(1, run.report.cycles)).toFixed(0)} %`, rowOf.get(i) + high / 2));
    const { tasks, mnemonics } = run.report.timeline;
    for (const task of tasks) {
      const y = rowOf.get(task[ENGINE]);
      if (y === undefined) continue;
      const layer = run.report.layers[task[LAYER]];
      box(place(task[START], width), place(task[END], width), y, high, hue(task[LAYER]),
        () => `#${task[INDEX]} ${mnemonics[task[KIND]]} · ${layer.name}\n${number(task[START])} to ${number(task[END])}, ` +
          `${number(task[END] - task[START])} cycles, waited ${number(task[WAIT])}\n` +
          `DRAM ${number(task[DRAM])}, SRAM ${number(task[SRAM])} bytes, ${number(task[MACS])} MACs`, mnemonics[task[KIND]]);
    }
  }
  // Bytes in use: [cycle, bytes from then on] of a tile.
  const usesOf = new Map();
  function uses(run, tile) {
    const key = `${runs.indexOf(run)} ${tile}`;
    if (usesOf.has(key)) return usesOf.get(key);
    const changes = new Map();
    for (const [, lo, hi, start, end] of run.report.timeline.sram.filter(b => b[0] === tile && b[3] < b[4])) {
      changes.set(start, (changes.get(start) ?? 0) + hi - lo);
      changes.set(end, (changes.get(end) ?? 0) - (hi - lo));
    }
    let bytes = 0;
    const steps = [...changes].sort(([a], [b]) => a - b).map(([cycle, more]) => [cycle, bytes += more]);
    usesOf.set(key, steps);
    return steps;
  }
  function drawUse(pen, width, y, high, steps, size) {
    pen.fillStyle = css("--soft");
    pen.beginPath();
    pen.moveTo(left, y + high);
    let level = y + high;
    for (const [cycle, bytes] of steps) {
      const x = Math.min(Math.max(place(cycle, width), left), width);
      pen.lineTo(x, level);
      level = y + high - Math.min(1, bytes / size) * high;
      pen.lineTo(x, level);
    }
    pen.lineTo(width, level);
    pen.lineTo(width, y + high);
    pen.globalAlpha = .45;
    pen.fill();
    pen.globalAlpha = 1;
    pen.fillRect(left, y, width - left, 1);
  }
  function drawMap() {
    const size = run.report.machine_parameters.sram_bytes, buffers = run.report.timeline.sram;
    const tiles = buffers.reduce((most, b) => Math.max(most, b[0] + 1), 1);
    const high = 64, gap = 14, use = high + gap, map_high = 240, each = use + map_high, height = tiles * each + 20;
    const top = Math.min(size, Math.max(1, ...buffers.map(b => b[2])) * 1.05);
    const [pen, width] = prepare(map, height);
    axis(pen, width, height);
    mapBoxes = [];
    pen.textAlign = "left";
    const kib = bytes => `${number(Math.round(bytes / 1024))} KiB`;
    const peaks = Array.from({ length: tiles }, (_, tile) => uses(run, tile).reduce((most, [, bytes]) => Math.max(most, bytes), 0));
    const share = bytes => `${kib(bytes)} (${(100 * bytes / size).toFixed(0)} %)`;
    document.getElementById("capacity").textContent =
      `Capacity ${kib(size)}${tiles > 1 ? " a tile" : ""}; most in use ${peaks.map(share).join(", ")}.`;
    for (let tile = 0; tile < tiles; tile++) {
      drawUse(pen, width, tile * each + 6, high - 6, uses(run, tile), size);
      pen.fillStyle = css("--ink");
      pen.fillText(tiles > 1 ? `tile ${tile}` : "in use", 0, tile * each + 30);
      pen.fillText("address", 0, tile * each + use + 24);
      pen.fillStyle = css("--soft");
      pen.fillText(kib(size), 0, tile * each + 10);
      pen.fillText("0", 0, tile * each + high - 5);
      pen.fillText(kib(top), 0, tile * each + use + 8);
      pen.fillText("0", 0, (tile + 1) * each - 8);
    }
    for (const [tile, lo, hi, start, end, layer] of buffers) {
      const x0 = Math.max(place(start, width), left), x1 = Math.min(place(end, width), width);
      if (x1 < left || x0 > width) continue;
      const base = (tile + 1) * each, y0 = base - hi / top * map_high, y1 = base - lo / top * map_high;
      pen.fillStyle = hue(layer);
      pen.fillRect(x0, y0, Math.max(x1 - x0, .6), Math.max(y1 - y0 - .5, .6));
      mapBoxes.push([x0, x1 + 1, y0, y1, () => `${run.report.layers[layer].name}\nbytes ${number(lo)} to ${number(hi)} (${number(hi - lo)})\n` +
        `cycles ${number(start)} to ${number(end)}`]);
    }
  }
  const draw = () => {
    drawLanes();
    drawMap();
    lanes.dataset.boxes = laneBoxes.length;
    map.dataset.boxes = mapBoxes.length;
    document.body.dataset.drawn = dark.matches ? "dark" : "light";
  };
  let asked = false;
  const redraw = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
  const end = () => Math.max(1, run.report.cycles);
  function view(a, b) {
    const span = Math.min(Math.max(b - a, 16), end());
    from = Math.min(Math.max(a, 0), end() - span);
    to = from + span;
    redraw();
  }
  const zoom = (factor, at) => view(at - (at - from) * factor, at + (to - at) * factor);
  for (const canvas of [lanes, map]) {
    const cycle = e => from + (e.offsetX - left) / (canvas.clientWidth - left) * (to - from);
    let held = null;
    canvas.addEventListener("wheel", e => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : .8, cycle(e)); }, { passive: false });
    canvas.addEventListener("pointerdown", e => { held = [e.clientX, from, to]; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointerup", () => { held = null; });
    canvas.addEventListener("dblclick", () => view(0, end()));
    canvas.addEventListener("pointerleave", () => show());
    canvas.addEventListener("pointermove", e => {
      if (held) {
        const move = (e.clientX - held[0]) / (canvas.clientWidth - left) * (held[2] - held[1]);
        view(held[1] - move, held[2] - move);
        return show();
      }
      const boxes = canvas === lanes ? laneBoxes : mapBoxes;
      const hit = boxes.findLast(([x0, x1, y0, y1]) => e.offsetX >= x0 && e.offsetX <= x1 && e.offsetY >= y0 && e.offsetY <= y1);
      show(e, hit && hit[4]());
    });
  }
  lanes.addEventListener("keydown", e => {
    const span = to - from, middle = (from + to) / 2;
    const act = { ArrowLeft: () => view(from - span / 8, to - span / 8), ArrowRight: () => view(from + span / 8, to + span / 8),
      "+": () => zoom(.7, middle), "-": () => zoom(1.4, middle) }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
  if (timed.length > 1) choice(document.querySelector("#timeline .controls"), timed.map(run => run.name), 0, i => {
    run = timed[i];
    view(0, end());
  });
  view(0, end());
  addEventListener("resize", redraw);
  dark.addEventListener("change", () => { redraw(); });
})();

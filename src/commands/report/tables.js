// The tables of layers and of differences, and the roofline. Names are set as text only, never as markup.
"use strict";
const drawTables = ({ runs, groups, title, el, svg, number, energy, choice, show }) => {
  const FIRST = 10;
  const limits = [["PEs", "#3f7fd1", "pes"], ["SRAM", "#2f9e77", "sram"], ["DRAM bandwidth", "#c4533f", "dram_bandwidth"],
    ["DRAM latency", "#d98032", "dram_latency"], ["vector engine", "#8a63c9", "vec"], ["dispatch", "#98a2b3", "dispatch"]];
  const cycles = layer => Object.values(layer.elapsed).reduce((a, b) => a + b, 0);
  const macs = layer => layer.macs_high + layer.macs_low;
  const dram = layer => layer.bytes.dram_read + layer.bytes.dram_write;
  const peak = report => ["tiles", "rows", "cols", "lanes"].reduce((n, name) => n * report.machine_parameters[name], 1);
  const limit = layer => limits.reduce((best, kind) => layer.limits[kind[2]] > (best ? layer.limits[best[2]] : 0) ? kind : best, null);
  const busy = (layer, report) => Math.max(cycles(layer), layer.busy.dpu / report.machine_parameters.tiles);
  const used = (layer, report) => macs(layer) && busy(layer, report) ? 100 * macs(layer) / busy(layer, report) / peak(report) : 0;
  const node = query => document.querySelector(query);

  // Columns: [header, key in the CSV, value, text of the value]; texts have no last entry.
  const columns = [
    ["#", "index", row => row.index, number],
    ["layer", "layer", row => row.layer.name],
    ["source", "source", row => row.layer.location],
    ["bound by", "bound_by", row => limit(row.layer)?.[0] ?? "–"],
    ["cycles", "cycles", row => cycles(row.layer), number],
    ["% of run", "percent", row => 100 * cycles(row.layer) / Math.max(1, row.report.cycles), n => n.toFixed(1)],
    ["PEs used, %", "used_percent", row => used(row.layer, row.report), n => n ? n.toFixed(1) : "–"],
    ["MACs", "macs", row => macs(row.layer), number],
    ["weights", "weights", row => row.layer.weights || "–"],
    ["DRAM bytes", "dram_bytes", row => dram(row.layer), number],
    ["SRAM bytes", "sram_bytes", row => row.layer.bytes.sram_read + row.layer.bytes.sram_write, number],
    ["energy", "energy_fj", row => row.layer.energy_fj.total, energy],
  ];

  // A table that is sorted by its headers; rows are those of `list()`, of which the first ten are shown until all are asked for.
  function sortable(host, heads, list, first) {
    let [by, down, all] = [first, true, false];
    const table = el("table"), head = el("tr"), body = el("tbody"), more = el("button");
    const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    const sorted = () => list().map((row, i) => [row, i]).sort(([a, i], [b, j]) =>
      (down ? -1 : 1) * compare(heads[by][2](a), heads[by][2](b)) || i - j).map(([row]) => row);
    const draw = () => {
      heads.forEach((_, i) => head.children[i].setAttribute("aria-sort", i !== by ? "none" : down ? "descending" : "ascending"));
      const rows = sorted();
      body.replaceChildren(...(all ? rows : rows.slice(0, FIRST)).map(row => {
        const line = el("tr", undefined, { "data-layer": row.name });
        line.append(...heads.map(([, , value, text]) => {
          const cell = el("td", text ? text(value(row)) : value(row), text ? { class: "num" } : {});
          if (!text) cell.title = value(row);
          return cell;
        }));
        return line;
      }));
      more.textContent = all ? `first ${FIRST}` : `all ${rows.length}`;
      more.hidden = rows.length <= FIRST;
      host.dataset.rows = rows.length;
    };
    heads.forEach(([name, , , text], i) => {
      const cell = el("th", undefined, { scope: "col", ...(text ? { class: "num" } : {}) }), button = el("button", name, { class: "sort" });
      button.addEventListener("click", () => {
        [by, down] = [i, i === by ? !down : Boolean(text)];
        draw();
      });
      cell.append(button);
      head.append(cell);
    });
    more.addEventListener("click", () => { all = !all; draw(); });
    const top = el("thead");
    top.append(head);
    table.append(top, body);
    host.replaceChildren(table, more);
    draw();
    return { draw, sorted };
  }

  // What a spreadsheet reads as it stands: names that it would take for formulas are quoted.
  const csvCell = value => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  function saved(name, lines) {
    const text = lines.map(line => line.map(csvCell).join(",") + "\r\n").join("");
    const link = Object.assign(el("a"), { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function layerTable() {
    let run = runs[0], wanted = "";
    const rowsOf = run => run.report.layers.map((layer, index) => ({ index, layer, report: run.report, name: layer.name }));
    const texts = row => [row.layer.name, row.layer.op, row.layer.location, row.layer.weights, limit(row.layer)?.[0] ?? ""];
    const list = () => rowsOf(run).filter(row => texts(row).some(text => text.toLowerCase().includes(wanted)));
    const shown = columns.filter(([, key]) => key !== "source" || runs.some(run => run.report.layers.some(layer => layer.location)));
    const table = sortable(node("#table .rows"), shown, list, shown.findIndex(([, key]) => key === "cycles"));
    const filter = el("input", undefined, { type: "search", placeholder: "filter: name, op, source, weights, bound", "aria-label": "filter layers", size: 42 });
    filter.addEventListener("input", () => { wanted = filter.value.toLowerCase(); table.draw(); });
    const csv = el("button", "CSV", { title: "download the filtered layers in this order" });
    csv.addEventListener("click", () => saved(`${run.name}-layers.csv`,
      [columns.map(([, key]) => key), ...table.sorted().map(row => columns.map(([, , value]) => value(row)))]));
    const pick = el("span", undefined, { class: "controls" });
    if (runs.length > 1) choice(pick, runs.map(run => run.name), 0, i => { run = runs[i]; table.draw(); roofline(run); });
    node("#table .controls").replaceChildren(filter, csv, pick);
  }

  function differences() {
    if (runs.length < 2) return node("#differ").remove();
    const value = { cycles, energy: layer => layer.energy_fj.total };
    const text = { cycles: n => number(n), energy };
    const signed = (n, text) => n === 0 ? "0" : (n > 0 ? "+" : "−") + text(Math.abs(n));
    const draw = what => {
      const of = (group, r) => group.layers[r] ? value[what](group.layers[r]) : 0;
      const change = (row, r) => of(row.group, r) - of(row.group, 0);
      const most = row => runs.reduce((most, _, r) => Math.max(most, Math.abs(change(row, r))), 0);
      const rows = groups.map(group => ({ group, name: title(group) }));
      const heads = [["layer", "layer", row => row.name], ["most", "most", most, text[what]],
        [runs[0].name, "first", row => of(row.group, 0), text[what]],
        ...runs.slice(1).map((run, i) => [run.name, `run${i + 1}`, row => change(row, i + 1), n => signed(n, text[what])])];
      sortable(node("#differ .rows"), heads, () => rows.filter(row => most(row) > 0), 1);
    };
    choice(node("#differ .controls"), ["cycles", "energy"], 0, i => draw(Object.keys(value)[i]));
    draw("cycles");
  }

  // MACs per cycle over MACs per byte of DRAM, both axes logarithmic. A layer lies above the slope if it is
  // loaded during the time of another one.
  function roofline({ report }) {
    const [width, height, left, right, top, bottom] = [1160, 340, 64, 20, 26, 40];
    const rate = report.machine_parameters.dram_bytes_per_cycle, most = peak(report);
    const points = report.layers.filter(layer => macs(layer) && busy(layer, report)).map(layer =>
      ({ layer, y: macs(layer) / busy(layer, report), x: dram(layer) ? macs(layer) / dram(layer) : Infinity }));
    const finite = points.map(point => point.x).filter(Number.isFinite);
    const ridge = most / rate, low = n => 10 ** Math.floor(Math.log10(n)), high = n => 10 ** Math.ceil(Math.log10(n) + .01);
    const [x0, x1] = [low(Math.min(1, ridge / 4, ...finite)), high(Math.max(ridge * 8, ...finite))];
    const [y0, y1] = [low(Math.min(1, ...points.map(point => point.y))), high(most)];
    const along = (n, a, b) => (Math.log10(n) - Math.log10(a)) / (Math.log10(b) - Math.log10(a));
    const px = x => left + Math.min(1, along(x, x0, x1)) * (width - left - right), py = y => height - bottom - along(y, y0, y1) * (height - top - bottom);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Roofline: MACs per cycle over MACs per byte of DRAM" });
    for (let n = x0; n <= x1 * 1.001; n *= 10) {
      drawing.append(svg("line", { x1: px(n), x2: px(n), y1: top, y2: height - bottom, class: "grid" }),
        svg("text", { x: px(n), y: height - bottom + 15, "text-anchor": "middle", class: "soft" }, number(n)));
    }
    for (let n = y0; n <= y1 * 1.001; n *= 10) {
      drawing.append(svg("line", { x1: left, x2: width - right, y1: py(n), y2: py(n), class: "grid" }),
        svg("text", { x: left - 8, y: py(n) + 4, "text-anchor": "end", class: "soft" }, number(n)));
    }
    const from = Math.max(x0, y0 / rate);
    drawing.append(svg("polyline", { points: `${px(from)},${py(from * rate)} ${px(ridge)},${py(most)} ${width - right},${py(most)}`, class: "roof" }),
      svg("text", { x: width - right, y: py(most) - 5, "text-anchor": "end" }, `peak ${number(most)} MACs a cycle`),
      svg("text", { x: px(ridge) - 12, y: py(most) - 5, "text-anchor": "end" }, `DRAM ${number(rate)} bytes a cycle`),
      svg("text", { x: (left + width) / 2, y: height - 5, "text-anchor": "middle", class: "soft" }, "MACs per byte of DRAM (at the right edge: no DRAM)"),
      svg("text", { x: 4, y: 11, class: "soft" }, "MACs a cycle"));
    const slowest = Math.max(1, ...points.map(({ layer }) => cycles(layer)));
    for (const { layer, x, y } of points.sort((a, b) => cycles(b.layer) - cycles(a.layer))) {
      const [name, colour] = limit(layer) ?? ["–", "#98a2b3"];
      const dot = svg("circle", { cx: px(x), cy: py(y), r: 3 + 9 * Math.sqrt(cycles(layer) / slowest), fill: colour, class: "dot", "data-layer": layer.name });
      dot.addEventListener("mousemove", e => show(e, `${layer.name}\n${name}\n${number(cycles(layer))} cycles, ${number(y)} MACs a cycle\n` +
        (Number.isFinite(x) ? `${number(x)} MACs per byte of DRAM` : "no DRAM")));
      dot.addEventListener("mouseleave", () => show());
      drawing.append(dot);
    }
    const legend = el("div", undefined, { class: "legend" });
    for (const [name, colour] of limits.filter(kind => points.some(({ layer }) => limit(layer) === kind))) {
      const item = el("span"), mark = el("i");
      mark.style.background = colour;
      item.append(mark, name);
      legend.append(item);
    }
    node("#roofline .chart").replaceChildren(drawing, legend);
  }

  layerTable();
  differences();
  roofline(runs[0]);
};

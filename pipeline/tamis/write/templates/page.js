"use strict";
document.querySelectorAll("table[data-sortable]").forEach(function (table) {
  var bodies = Array.from(table.tBodies), rows = [];
  bodies.forEach(function (body) { Array.from(body.rows).forEach(function (row) { if (row.cells.length > 1) { rows.push(row); } }); });
  var tools = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input"), told = document.createElement("span");
  tools.className = "tools"; label.textContent = "Filter "; input.type = "search"; input.placeholder = "column, action, reason …";
  told.className = "soft small"; told.setAttribute("role", "status"); label.append(input); tools.append(label, told);
  table.closest(".scroll").before(tools);
  input.addEventListener("input", function () {
    var wanted = input.value.trim().toLowerCase(), shown = 0;
    rows.forEach(function (row) { row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted); shown += row.hidden ? 0 : 1; });
    bodies.forEach(function (body) { body.hidden = Array.from(body.rows).every(function (row) { return row.hidden || row.cells.length === 1; }); });
    told.textContent = wanted === "" ? "" : shown + " of " + rows.length + " columns";
  });
  Array.from(table.tHead.rows[0].cells).forEach(function (head, index) {
    var button = document.createElement("button");
    button.type = "button"; button.append(...head.childNodes); head.append(button);
    button.addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") === "ascending";
      Array.from(table.tHead.rows[0].cells).forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      bodies.forEach(function (body) {
        Array.from(body.rows).filter(function (row) { return row.cells.length > 1; })
          .sort(function (a, b) { return (down ? -1 : 1) * a.cells[index].textContent.localeCompare(b.cells[index].textContent, undefined, {numeric: true}); })
          .forEach(function (row) { body.append(row); });
      });
    });
  });
});
window.addEventListener("beforeprint", function () { document.querySelectorAll("details").forEach(function (card) { card.open = true; }); });
function openTarget() { var card = location.hash.length > 1 && document.getElementById(location.hash.slice(1)); if (card && card.tagName === "DETAILS") { card.open = true; } }
window.addEventListener("hashchange", openTarget); openTarget();

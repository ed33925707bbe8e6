// Draws the page, connects it, and listens for «/».
import { render } from "preact";
import { App } from "./components.js";
import { connect } from "./feed.js";
import { html } from "./html.js";
import { filter, task } from "./state.js";

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
connect("./events");

addEventListener("keydown", (event) => {
  if (task.value !== null) return;
  const input = document.getElementById("filter");
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) {
    event.preventDefault();
    input.focus();
  }
  if (event.key === "Escape" && document.activeElement === input) {
    filter.value = "";
    input.blur();
  }
});

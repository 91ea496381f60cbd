import { render } from "preact";

import { App } from "./app/App.tsx";
import "./app/frame.css";

const root = document.getElementById("page");
if (root !== null) {
  root.replaceChildren();
  render(<App />, root);
}

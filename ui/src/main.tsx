// Where the page begins: the token leaves the address bar before anything else is done.

import { render } from "preact";
import { start } from "./state/app.ts";
import { browserLanguage, speak } from "./i18n/index.ts";
import { App } from "./ui/App.tsx";

start();
await speak(browserLanguage()).catch(() => undefined);
const root = document.getElementById("app");
if (root !== null) render(<App />, root);

import { render } from "preact";
import { startClock } from "./node/clock";
import { begin } from "./node/token";
import { start } from "./node/watching";
import { App } from "./shell/App";
import { followAddress } from "./shell/route";
import "./style/colours.css";
import "./style/frame.css";
import "./style/parts.css";
import "./style/tables.css";

begin();
start();
startClock();
followAddress();
render(<App />, document.getElementById("page")!);

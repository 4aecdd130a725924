/** Beside the lines, when none is chosen: the line itself. */
import LinePicture from "../line-picture.js";
import Screen from "./screen.js";

export default class Welcome extends Screen {
  constructor(page) {
    super(page, "t-welcome");
    new LinePicture(this.at.line).show("up");
  }
}

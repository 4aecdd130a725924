/** Begins the page. */
import Page from "./page.js";

new Page().connect();

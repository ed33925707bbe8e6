// Markup as tagged templates. Values become text nodes and attributes, never markup: nothing here needs escaping.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);

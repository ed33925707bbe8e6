import assert from "node:assert/strict";
import test from "node:test";
import { compileErrorPage } from "./error-page.ts";

const VALUES = {
  status: 404,
  statusText: "Not Found",
  message: `Requested route ('<b onclick="x">&') does not exist.`,
  header: (name: string) => (name === "x-cf-routererror" ? "unknown_route" : ""),
};

const good = [
  { name: "a page without actions is itself", template: "<p>sorry</p>\n", want: "<p>sorry</p>\n" },
  { name: "an empty file is an empty page", template: "", want: "" },
  { name: "status and its text", template: "{{ .Status }} {{.StatusText}}", want: "404 Not Found" },
  {
    name: "a message is escaped, because it holds what the client sent",
    template: `<p title="{{.Message}}">`,
    want: `<p title="Requested route (&#39;&lt;b onclick=&#34;x&#34;&gt;&amp;&#39;) does not exist.">`,
  },
  {
    name: "headers are found in any case, and empty when missing",
    template: '{{ .Header.Get "X-CF-RouterError" }}[{{ .Header.Get `X-Other` }}]',
    want: "unknown_route[]",
  },
  {
    name: "white space goes where a dash says so",
    template: "a \n {{- .Status -}} \n b {{ .Status }} c",
    want: "a404b 404 c",
  },
  { name: "a comment leaves nothing", template: "a{{/* {not} shown */}}b{{- /* x */ -}} c", want: "abc" },
  { name: "bytes of UTF-8 pass through", template: "\u00c3\u00a9 {{.Status}}", want: "\u00c3\u00a9 404" },
  {
    name: "scripts of the page itself are left alone",
    template: "<script>let a = {b: {}};</script>{{.Status}}",
    want: "<script>let a = {b: {}};</script>404",
  },
];
for (const { name, template, want } of good) {
  test(name, () => {
    const verdict = compileErrorPage(template);
    assert.ok(verdict.ok);
    assert.equal(verdict.page(VALUES), want);
  });
}

const known = 'write .Status, .StatusText, .Message and .Header.Get "NAME" only';
const bad = [
  {
    template: "{{ if .Status }}x{{ end }}",
    problem: `«{{ if .Status }}» in line 1 is not understood; ${known}`,
  },
  {
    template: "\n\n{{ .Message | html }}",
    problem: `«{{ .Message | html }}» in line 3 is not understood; ${known}`,
  },
  { template: "{{ .Header }}", problem: `«{{ .Header }}» in line 1 is not understood; ${known}` },
  {
    template: '{{ .Header.Get "a b" }}',
    problem: `«{{ .Header.Get "a b" }}» in line 1 is not understood; ${known}`,
  },
  { template: "{{ .constructor }}", problem: `«{{ .constructor }}» in line 1 is not understood; ${known}` },
  { template: "{{ toString }}", problem: `«{{ toString }}» in line 1 is not understood; ${known}` },
  { template: "{{}}", problem: `«{{  }}» in line 1 is not understood; ${known}` },
  { template: "a\n{{ .Status", problem: "«{{» in line 2 is not closed" },
  {
    template: "<SCRIPT>let m = '{{ .Message }}'</script>",
    problem: "«{{ .Message }}» in line 1 is inside <script>; move it out",
  },
  { template: "<style>{{.Status}}", problem: "«{{ .Status }}» in line 1 is inside <style>; move it out" },
];
for (const { template, problem } of bad) {
  test(`refuses ${JSON.stringify(template)}`, () =>
    assert.deepEqual(compileErrorPage(template), { ok: false, problem }));
}

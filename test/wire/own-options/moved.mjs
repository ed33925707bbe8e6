/** Answers in the app's place. */
export default ({ defineOption, Type }) =>
  defineOption({
    name: "moved",
    summary: "Sends clients elsewhere.",
    details: "For good.",
    schema: Type.String({ pattern: "^https://[a-z.]+$" }),
    protocols: ["http1"],
    since: "1",
    examples: [{ value: "https://example.com", effect: "clients go there" }],
    refusal: "Moved must be an https URL",
    hooks: (origin) => ({
      admit: (exchange) => ({
        kind: "answer",
        status: 308,
        headers: { Location: origin + exchange.target, "Content-Type": "text/plain; charset=utf-8" },
        body: "Dorthin →\n",
      }),
    }),
  });

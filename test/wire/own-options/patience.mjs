/** Holds each request until the next one comes, whose option is careless: it lets it go on twice, and too late. */
export default ({ defineOption, Type, defineError }) => {
  const tooLong = defineError({
    code: "own_patience_lost",
    source: "router",
    retry: "never",
    status: 503,
    explain: () => "nobody came in time",
  });
  return defineOption({
    name: "patience",
    summary: "Waits for the next one.",
    details: "Milliseconds at most.",
    schema: Type.Integer({ minimum: 1 }),
    protocols: ["http1"],
    since: "1",
    examples: [{ value: 1_000, effect: "a second at most" }],
    refusal: "Patience must be a whole number of milliseconds",
    hooks(patienceMs) {
      let goOnBefore = () => {};
      return {
        admit(exchange) {
          goOnBefore();
          goOnBefore();
          exchange.startDeadline("patience", patienceMs, () => tooLong({}));
          exchange.atEnd(() => {
            throw new Error("careless to the end");
          });
          return {
            kind: "hold",
            begin(goOn) {
              goOnBefore = () => {
                exchange.clearDeadline("patience");
                goOn();
              };
            },
          };
        },
      };
    },
  });
};

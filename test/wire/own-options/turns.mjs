/** Lets so many in at a time, makes one more wait, and refuses the rest. */
export default ({ defineOption, Type, defineError }) => {
  const tooMany = defineError({
    code: "own_too_many_turns",
    source: "client",
    retry: "never",
    status: 429,
    routerError: "too_many_turns",
    explain: () => "noch nicht dran: später wieder",
  });
  return defineOption({
    name: "turns",
    summary: "Lets clients in one after the other.",
    details: "One may wait.",
    schema: Type.Integer({ minimum: 1 }),
    protocols: ["http1"],
    since: "1",
    examples: [{ value: 1, effect: "one at a time" }],
    refusal: "Turns must be a whole number of at least 1",
    hooks(limit) {
      const waiting = [];
      let inside = 0;
      const enter = (exchange) => {
        inside++;
        exchange.atEnd(() => {
          inside--;
          waiting.shift()?.();
        });
      };
      return {
        admit(exchange) {
          exchange.addResponseHeader("X-Turns", `${inside} inside, ${waiting.length} waiting`);
          if (inside < limit) {
            enter(exchange);
            return null;
          }
          if (waiting.length > 0) throw tooMany({});
          return {
            kind: "hold",
            begin(goOn) {
              const next = () => {
                enter(exchange);
                goOn();
              };
              waiting.push(next);
              exchange.atEnd(() => {
                if (waiting.includes(next)) waiting.splice(waiting.indexOf(next), 1);
              });
            },
          };
        },
      };
    },
  });
};

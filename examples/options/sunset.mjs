/**
 * A route option of an operator's own: `-o sunset=2027-06-30` tells clients when a route will go away (RFC 8594).
 *
 *   viaduct up --set options.folder=examples/options
 *   viaduct update-route shop.localhost -o sunset=2027-06-30
 *   curl -i http://shop.localhost:8080/          Sunset: Wed, 30 Jun 2027 00:00:00 GMT
 */
export default ({ defineOption, Type }) =>
  defineOption({
    name: "sunset",
    summary: "Tells clients the day from which the route may be gone.",
    details: "Every answer of the app gets a `Sunset` header (RFC 8594), in place of one that it set itself.",
    schema: Type.String({ pattern: String.raw`^\d{4}-\d{2}-\d{2}$` }),
    protocols: ["http1", "http2"],
    since: "1",
    examples: [{ value: "2027-06-30", effect: "clients are told to have left by the end of June 2027" }],
    refusal: "Sunset must be a day like 2027-06-30",
    check: (day) => !Number.isNaN(Date.parse(day)) || `there is no day ${day}`,
    explain: (day) => `clients are told that it may be gone from ${day}`,
    hooks: (day) => ({
      responseHeaders: {
        hides: new Set(["sunset"]),
        lines: `Sunset: ${new Date(day).toUTCString()}\r\n`,
      },
    }),
  });
